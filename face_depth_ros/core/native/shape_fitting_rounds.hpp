// Copyright 2026 face_depth_ros contributors
// SPDX-License-Identifier: MIT
//
// Included by shape_fitting.cpp, once for each kind of processor; no include guard for that reason.

typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

// Metres in the optical frame of points and landmarks from number `first` on: of the mean face, or
// what a code makes of it.
static void place(const Detail &detail, const State &state, bool mean, int first, Room &room) {
  const int total = detail.points + kMarks;
  for (int axis = 0; axis < 3; ++axis) {
    std::memcpy(room.places + axis * total + first, detail.mean + axis * total + first,
                (total - first) * sizeof(float));
  }
  for (int mode = 0; !mean && mode < detail.modes; ++mode) {
    const float weight = static_cast<float>(state.code[detail.numbers[mode]]);
    for (int axis = 0; axis < 3; ++axis) {
      const float *basis = detail.basis + (3 * static_cast<std::size_t>(mode) + axis) * total;
      float *out = room.places + axis * total;
      for (int i = first; i < total; ++i) out[i] += weight * basis[i];
    }
  }
  float turn[3][3], shift[3];
  for (int row = 0; row < 3; ++row) {
    shift[row] = static_cast<float>(state.position[row]);
    for (int k = 0; k < 3; ++k) turn[row][k] = static_cast<float>(state.rotation[row][k]);
  }
  float *x = room.places, *y = x + total, *z = x + 2 * total;
  for (int i = first; i < total; ++i) {
    const float a = x[i], b = y[i], c = z[i];
    x[i] = turn[0][0] * a + turn[0][1] * b + turn[0][2] * c + shift[0];
    y[i] = turn[1][0] * a + turn[1][1] * b + turn[1][2] * c + shift[1];
    z[i] = turn[2][0] * a + turn[2][1] * b + turn[2][2] * c + shift[2];
  }
  const float *n = detail.normals;
  for (int row = 0; row < 3; ++row) {
    for (int i = first; i < detail.points; ++i) {
      room.normals[row * detail.points + i] = turn[row][0] * n[i] +
          turn[row][1] * n[detail.points + i] + turn[row][2] * n[2 * detail.points + i];
    }
  }
}

// The ray through the middle of the pixel that a point lies in, and metres measured there.
struct Look {
  float ray_x, ray_y, depth;
};

static inline Look look(const Surface &surface, float x, float y, float z) {
  const float u = x / z, v = y / z, last = static_cast<float>(surface.side - 1);
  float column = surface.to_cells[0][0] * u + surface.to_cells[0][1] * v + surface.to_cells[0][2];
  float row = surface.to_cells[1][0] * u + surface.to_cells[1][1] * v + surface.to_cells[1][2];
  // Written so that NaN goes to the border, where nothing was measured.
  column = column > 0.0f ? (column < last ? column : last) : 0.0f;
  row = row > 0.0f ? (row < last ? row : last) : 0.0f;
  const int i = static_cast<int>(column), j = static_cast<int>(row);
  const float c = static_cast<float>(i), r = static_cast<float>(j);
  return {surface.to_rays[0][0] * c + surface.to_rays[0][1] * r + surface.to_rays[0][2],
          surface.to_rays[1][0] * c + surface.to_rays[1][1] * r + surface.to_rays[1][2],
          surface.depth[j * surface.side + i]};
}

// Move the mean face along the optical axis to where the skin is; false: too little of it is seen.
static bool shift_depth(const Detail &detail, const Surface &surface, const Beliefs &beliefs,
                        State &state, Room &room) {
  place(detail, state, true, 0, room);
  const int total = detail.points + kMarks;
  const float *x = room.places, *y = x + total, *z = x + 2 * total;
  int known = 0;
  for (int i = 0; i < detail.points; ++i) {
    const float away = look(surface, x[i], y[i], z[i]).depth - z[i];
    if (std::isfinite(away)) room.off[known++] = away;
  }
  if (4 * known < beliefs.least_points) return false;
  state.position[2] += middle_of(room.off, known);
  return true;
}

// Which points face a measured surface that is near, and how far it is off.
static void distances(const Detail &detail, const Surface &surface, float gate, float facing,
                      Room &room) {
  const int count = detail.points, total = count + kMarks;
  const float *x = room.places, *y = x + total, *z = x + 2 * total;
  const float *a = room.normals, *b = a + count, *c = a + 2 * count;
  room.used_count = 0;
  for (int i = 0; i < count; ++i) {
    const Look seen = look(surface, x[i], y[i], z[i]);
    const float along = x[i] * a[i] + y[i] * b[i] + z[i] * c[i];
    const float length = std::sqrt(x[i] * x[i] + y[i] * y[i] + z[i] * z[i]);
    const float off = seen.depth * (seen.ray_x * a[i] + seen.ray_y * b[i] + c[i]) - along;
    room.off[i] = off;
    if (along < -facing * length && std::fabs(off) < gate) room.used[room.used_count++] = i;
  }
}

static inline float weigh(float off, float sigma, float outlier) {
  const float share = off / outlier;
  return 1.0f / (sigma * std::sqrt(1.0f + share * share));
}

// Write a row, weighed, with zeros behind it, and add what pulls along it.
static inline void add_row(const float *moves, int count, int stride, float weight, float pull,
                           float *row, float *right) {
  for (int k = 0; k < count; ++k) {
    row[k] = weight * moves[k];
    right[k] += row[k] * pull;
  }
  for (int k = count; k < stride; ++k) row[k] = 0.0f;
}

// Write all rows, (used + 136, stride), and the right side; returns how many rows there are.
static int fill_rows(const Detail &detail, const Surface &surface, const Beliefs &beliefs,
                     const State &state, int stride, Room &room) {
  const int size = kPose + detail.modes, total = detail.points + kMarks;
  const int count = room.used_count + 2 * kMarks;
  std::memset(room.pull, 0, size * sizeof(float));
  float *row = room.rows;
  const float sigma = beliefs.point_sigma *
      std::sqrt(static_cast<float>(detail.points) / static_cast<float>(beliefs.all_points));
  for (int number = 0; number < room.used_count; ++number) {
    const std::int32_t i = room.used[number];
    const float weight = weigh(room.off[i], sigma, beliefs.point_outlier);
    add_row(detail.moves + static_cast<std::size_t>(i) * size, size, stride, weight,
            room.off[i] * weight, row, room.pull);
    row += stride;
  }
  const float *x = room.places + detail.points, *z = x + 2 * total;
  for (int i = 0; i < kMarks; ++i) {
    const float *own = detail.landmarks + static_cast<std::size_t>(i) * 3 * size;
    for (int axis = 0; axis < 2; ++axis) {
      const float slope = x[axis * total + i] / z[i];
      const float off = (surface.landmarks[axis * kMarks + i] - slope) * z[i];
      const float weight = weigh(off, beliefs.landmark_sigma, beliefs.landmark_outlier);
      float ray[3];  // less what the new depth does to the ray
      for (int k = 0; k < 3; ++k) {
        ray[k] = static_cast<float>(state.rotation[axis][k]) -
            slope * static_cast<float>(state.rotation[2][k]);
      }
      for (int k = 0; k < size; ++k) {
        room.moved[k] = ray[0] * own[k] + ray[1] * own[size + k] + ray[2] * own[2 * size + k];
      }
      add_row(room.moved, size, stride, weight, off * weight, row, room.pull);
      row += stride;
    }
  }
  for (int k = 0; k < size; ++k) room.right[k] = room.pull[k];
  for (int mode = 0; mode < detail.modes; ++mode) {
    room.right[kPose + mode] -= state.code[detail.numbers[mode]];  // the prior: variance 1
  }
  return count;
}

// Sums of products of columns i to i + 3 with columns j to j + 15, of all rows.
static inline void block_of(const float *rows, int count, int stride, int i, int j,
                            float sums[4][2 * kLanes]) {
  Lanes a0 = {}, a1 = {}, b0 = {}, b1 = {}, c0 = {}, c1 = {}, d0 = {}, d1 = {};
  for (int row = 0; row < count; ++row) {
    const float *at = rows + static_cast<std::size_t>(row) * stride;
    const Lanes low = *reinterpret_cast<const Lanes *>(at + j);
    const Lanes high = *reinterpret_cast<const Lanes *>(at + j + kLanes);
    a0 += at[i] * low;
    a1 += at[i] * high;
    b0 += at[i + 1] * low;
    b1 += at[i + 1] * high;
    c0 += at[i + 2] * low;
    c1 += at[i + 2] * high;
    d0 += at[i + 3] * low;
    d1 += at[i + 3] * high;
  }
  const Lanes found[4][2] = {{a0, a1}, {b0, b1}, {c0, c1}, {d0, d1}};
  std::memcpy(sums, found, sizeof found);
}

// The upper half of the normal matrix with its prior, factored in place; false: no solution.
static bool factor(int count, int size, int stride, Room &room) {
  double *matrix = room.normal;
  float sums[4][2 * kLanes];
  for (int i = 0; i < size; i += 4) {
    for (int j = i / (2 * kLanes) * (2 * kLanes); j < size; j += 2 * kLanes) {
      block_of(room.rows, count, stride, i, j, sums);
      for (int k = 0; k < smaller(4, size - i); ++k) {
        for (int l = 0; l < smaller(2 * kLanes, size - j); ++l) {
          matrix[(i + k) * size + j + l] = sums[k][l];
        }
      }
    }
  }
  for (int k = kPose; k < size; ++k) matrix[k * size + k] += 1.0;
  for (int k = 0; k < size; ++k) {
    double *row = matrix + k * size;
    if (!(row[k] > 0.0) || !std::isfinite(row[k])) return false;
    const double scale = 1.0 / std::sqrt(row[k]);
    for (int j = k; j < size; ++j) row[j] *= scale;
    for (int i = k + 1; i < size; ++i) {
      double *below = matrix + i * size;
      const double share = row[i];
      for (int j = i; j < size; ++j) below[j] -= share * row[j];
    }
  }
  return true;
}

// Solve for the right side, in place; false: not finite.
static bool solve(int size, Room &room) {
  const double *matrix = room.normal;
  double *x = room.right;
  for (int i = 0; i < size; ++i) {
    x[i] /= matrix[i * size + i];
    for (int k = i + 1; k < size; ++k) x[k] -= matrix[i * size + k] * x[i];
  }
  for (int i = size - 1; i >= 0; --i) {
    for (int k = i + 1; k < size; ++k) x[i] -= matrix[i * size + k] * x[k];
    x[i] /= matrix[i * size + i];
    if (!std::isfinite(x[i])) return false;
  }
  return true;
}

// Turn and move the head in its own frame, and add the change of the code.
static void move(const Detail &detail, const double *change, State &state) {
  const double *turn = change, *shift = change + 3;
  const double angle = std::sqrt(turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2]);
  double axis[3] = {0.0, 0.0, 0.0};
  for (int k = 0; k < 3 && angle > 0.0; ++k) axis[k] = turn[k] / angle;
  const double c = std::cos(angle), s = std::sin(angle);
  const double cross[3][3] = {
      {0.0, -axis[2], axis[1]}, {axis[2], 0.0, -axis[0]}, {-axis[1], axis[0], 0.0}};
  double turned[3][3];
  for (int i = 0; i < 3; ++i) {
    double moved = 0.0;
    for (int k = 0; k < 3; ++k) moved += state.rotation[i][k] * shift[k];
    state.position[i] += moved;
    for (int j = 0; j < 3; ++j) {
      double sum = 0.0;
      for (int k = 0; k < 3; ++k) {
        const double own = (k == j ? c : 0.0) + s * cross[k][j] + (1.0 - c) * axis[k] * axis[j];
        sum += state.rotation[i][k] * own;
      }
      turned[i][j] = sum;
    }
  }
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) state.rotation[i][j] = turned[i][j];
  }
  for (int mode = 0; mode < detail.modes; ++mode) {
    state.code[detail.numbers[mode]] += change[kPose + mode];
  }
}

// From the model's landmarks to the rays of those that were seen, in the frame of the head.
static void landmarks_off(const Detail &fine, const Surface &surface, const Beliefs &beliefs,
                          State &state, Room &room) {
  place(fine, state, false, fine.points, room);
  const int total = fine.points + kMarks;
  const float *x = room.places + fine.points, *y = x + total, *z = x + 2 * total;
  const double far = beliefs.farthest;
  for (int i = 0; i < kMarks; ++i) {
    const double across = surface.landmarks[i] * z[i] - x[i];
    const double down = surface.landmarks[kMarks + i] * z[i] - y[i];
    for (int k = 0; k < 3; ++k) {
      const double off = across * state.rotation[0][k] + down * state.rotation[1][k];
      state.landmarks[3 * i + k] = static_cast<float>(off < -far ? -far : off > far ? far : off);
    }
  }
}

static int lay_on(const Detail &coarse, const Detail &fine, const Surface &surface,
                  const Round *rounds, int count, const Beliefs &beliefs, Room &room,
                  State &state) {
  if (!shift_depth(coarse, surface, beliefs, state, room)) return 1;
  for (int number = 0; number < count; ++number) {
    const Detail &detail = rounds[number].coarse ? coarse : fine;
    const int size = kPose + detail.modes;
    const int stride = stride_of(size);
    place(detail, state, false, 0, room);
    distances(detail, surface, rounds[number].gate, beliefs.facing, room);
    const double least = 0.5 * beliefs.least_points * detail.points / beliefs.all_points;
    if (room.used_count == 0 || room.used_count < least) return 1;
    const int filled = fill_rows(detail, surface, beliefs, state, stride, room);
    if (!rounds[number].again && !factor(filled, size, stride, room)) return 2;
    if (!solve(size, room)) return 2;
    double squares = 0.0;
    for (int used = 0; used < room.used_count; ++used) {
      squares += room.off[room.used[used]] * room.off[room.used[used]];
    }
    state.points = room.used_count;
    state.residual = std::sqrt(squares / state.points);
    move(detail, room.right, state);
  }
  landmarks_off(fine, surface, beliefs, state, room);
  return 0;
}
