// Copyright 2026 face_depth_ros contributors
// SPDX-License-Identifier: MIT
//
// core/depth_warping.py, compiled; that file says what is done and why. Every number is made by the
// same operations in the same order and precision, so that both give the same bits: this file is
// compiled without contraction of multiplications and additions. Called through ctypes.
//
// Work goes in stretches of a row: first where all their pixels come from, then the look-ups, then
// the means, so that all but the look-ups is done for several pixels at once. On x86 it is compiled
// for AVX2 as well, and chosen when it is called.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define FOR_SEVERAL_PROCESSORS __attribute__((target_clones("avx2", "default")))
#else
#define FOR_SEVERAL_PROCESSORS
#endif

namespace {

constexpr int kStretch = 64;
constexpr int kNeighbours = 4;

// Of the pixels of a stretch.
struct Stretch {
  float x[kStretch], y[kStretch];  // in the source, counted from pixel centres
  std::int32_t nearest_at[kStretch], at[kNeighbours][kStretch];
  float nearest[kStretch], values[kNeighbours][kStretch];
};

// The largest whole number up to x; processors without SSE 4.1 have no instruction for it.
inline int floor_of(float x) {
  const int whole = static_cast<int>(x);
  return whole - (static_cast<float>(whole) > x);
}

}  // namespace

// source_from_target: (2, 3) between corner-origin pixels; target: (height, width).
extern "C" FOR_SEVERAL_PROCESSORS void warp_depth(
    const float *depth, std::int32_t source_height, std::int32_t source_width,
    const double *source_from_target, std::int32_t height, std::int32_t width, float range,
    float *target) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const double *a = source_from_target;
  const double shift_x = a[2] - 0.5, shift_y = a[5] - 0.5;
  const int last_x = source_width - 1, last_y = source_height - 1;
  const float most_x = static_cast<float>(source_width), most_y = static_cast<float>(source_height);
  Stretch s;
  for (int row = 0; row < height; ++row) {
    const double y = row + 0.5, down_x = a[1] * y, down_y = a[4] * y;
    for (int first = 0; first < width; first += kStretch) {
      const int count = std::min(kStretch, width - first);
      for (int i = 0; i < count; ++i) {
        const double x = (first + i) + 0.5;
        s.x[i] = static_cast<float>(a[0] * x + shift_x + down_x);
        s.y[i] = static_cast<float>(a[3] * x + shift_y + down_y);
      }
      for (int i = 0; i < count; ++i) {
        // What lies far outside, or nowhere, is brought near: an int must hold it.
        const float x = s.x[i] > -2.0f ? std::min(s.x[i], most_x + 1.0f) : -2.0f;
        const float y = s.y[i] > -2.0f ? std::min(s.y[i], most_y + 1.0f) : -2.0f;
        const int left = floor_of(x), top = floor_of(y);
        s.x[i] = x;
        s.y[i] = y;
        const int near_x = static_cast<int>(std::max(x + 0.5f, 0.0f));
        const int near_y = static_cast<int>(std::max(y + 0.5f, 0.0f));
        s.nearest_at[i] = std::min(near_y, last_y) * source_width + std::min(near_x, last_x);
        const int x0 = std::min(std::max(left, 0), last_x);
        const int x1 = std::min(std::max(left + 1, 0), last_x);
        const int y0 = std::min(std::max(top, 0), last_y) * source_width;
        const int y1 = std::min(std::max(top + 1, 0), last_y) * source_width;
        s.at[0][i] = y0 + x0;
        s.at[1][i] = y0 + x1;
        s.at[2][i] = y1 + x0;
        s.at[3][i] = y1 + x1;
      }
      for (int i = 0; i < count; ++i) {
        s.nearest[i] = depth[s.nearest_at[i]];
        for (int k = 0; k < kNeighbours; ++k) s.values[k][i] = depth[s.at[k][i]];
      }
      for (int i = 0; i < count; ++i) {
        const float x = s.x[i], y = s.y[i];
        const float corner_x = static_cast<float>(floor_of(x));
        const float corner_y = static_cast<float>(floor_of(y));
        const float left = corner_x + 1.0f - x, right = x - corner_x;
        const float above = corner_y + 1.0f - y, below = y - corner_y;
        const float shares[kNeighbours] = {left * above, right * above, left * below,
                                           right * below};
        float shift = 0.0f, weight = 0.0f;
        for (int k = 0; k < kNeighbours; ++k) {
          const float difference = s.values[k][i] - s.nearest[i];
          const bool near = std::fabs(difference) <= range;  // not NaN
          const float share = near ? shares[k] : 0.0f;
          weight += share;
          shift += (near ? difference : 0.0f) * share;
        }
        const float mean = shift / weight + s.nearest[i];  // NaN where the nearest one is
        const bool inside = x + 0.5f >= 0.0f && x + 0.5f < most_x &&
                            y + 0.5f >= 0.0f && y + 0.5f < most_y;
        target[i] = inside ? mean : nan;
      }
      target += count;
    }
  }
}
