// Copyright 2026 face_depth_ros contributors
// SPDX-License-Identifier: MIT
//
// The rounds of core/shape_fitting.py, compiled; that file says what they do and why. Called
// through ctypes, so neither Python's headers nor its version matter. What a round decides by
// (gates, sigmas, least counts) comes from there too.
//
// The rounds are compiled for processors with AVX2 and FMA as well, and chosen when they are
// called: what was built on one machine runs on another.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

// What moves in a round; arrays as _Detail of shape_fitting.py describes them, C order.
struct Detail {
  std::int32_t points, modes;
  const std::int32_t *numbers;  // (M,)
  const float *mean;            // (3, P + 68)
  const float *basis;           // (M, 3, P + 68)
  const float *normals;         // (3, P)
  const float *moves;           // (P, 6 + M)
  const float *landmarks;       // (68, 3, 6 + M)
};

// What was measured, as _Camera of shape_fitting.py holds it.
struct Surface {
  std::int32_t side;
  const float *depth;      // (side, side) metres, NaN where nothing was measured, as on its border
  const float *landmarks;  // (2, 68) slopes
  float to_cells[2][3];
  float to_rays[3][3];
};

struct Round {
  float gate;
  std::int32_t coarse, again;
};

struct Beliefs {
  std::int32_t all_points, least_points;
  float point_sigma, point_outlier, landmark_sigma, landmark_outlier, facing, farthest;
};

// From where the rounds begin, and where they end.
struct State {
  double rotation[3][3], position[3];
  double *code;      // (all modes,), zero at the beginning
  float *landmarks;  // (68, 3)
  std::int32_t points;
  double residual;
};

namespace {

constexpr int kPose = 6;
constexpr int kMarks = 68;
constexpr int kLanes = 8;

// Memory that rounds work in, made once a fit.
struct Room {
  float *places;    // (3, P + 68) metres in the optical frame
  float *normals;   // (3, P)
  float *off;       // (P,) metres along the normals
  std::int32_t *used, used_count;
  float *rows;      // (used + 136, stride), the columns beyond 6 + M zero
  float *pull;      // (6 + M,) sums over rows, each by how far it is off
  float *moved;     // (6 + M,) by which a landmark moves across or down
  double *normal;   // (6 + M, 6 + M), its upper half factored
  double *right;    // (6 + M,)
};

int smaller(int a, int b) { return a < b ? a : b; }

// Columns of rows whose length is a multiple of what is summed at once.
int stride_of(int size) { return (size + 2 * kLanes - 1) / (2 * kLanes) * (2 * kLanes); }

// The median, of an even number the upper one of the two in the middle.
float middle_of(float *values, int count) {
  std::nth_element(values, values + count / 2, values + count);
  return values[count / 2];
}

}  // namespace

// No templates inside: an instance made for wide processors must not be taken for the others.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FACE_DEPTH_ROS_TWICE
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace wide {
#include "shape_fitting_rounds.hpp"
}
#pragma GCC pop_options
#endif

namespace plain {
#include "shape_fitting_rounds.hpp"
}

// Returns 0 where there is a fit; else 1: too few points, 2: no solution. `coarse` has no more points
// and modes than `fine`.
extern "C" int lay_on(const Detail *coarse, const Detail *fine, const Surface *surface,
                      const Round *rounds, int count, const Beliefs *beliefs, State *state) {
  const int points = fine->points, size = kPose + fine->modes;
  std::vector<float> places(3 * (points + kMarks)), normals(3 * points), off(points);
  std::vector<float> pull(size), moved(size);
  std::vector<float> rows(static_cast<std::size_t>(points + 2 * kMarks) * stride_of(size));
  std::vector<std::int32_t> used(points);
  std::vector<double> normal(static_cast<std::size_t>(size) * size), right(size);
  Room room{places.data(), normals.data(), off.data(), used.data(), 0, rows.data(), pull.data(),
            moved.data(), normal.data(), right.data()};
#ifdef FACE_DEPTH_ROS_TWICE
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return wide::lay_on(*coarse, *fine, *surface, rounds, count, *beliefs, room, *state);
  }
#endif
  return plain::lay_on(*coarse, *fine, *surface, rounds, count, *beliefs, room, *state);
}
