# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A small viewer for reports: a face's surface before and after, turned with the mouse."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
import json
import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
import numpy as np

_MAX_SIDE = 170
_MARGIN = 0.12
_WIRE_UNIT_M = 0.0001
_SAME_SURFACE_M = 0.012
"""Neighbours further apart than this are not joined to a surface."""
_CAPTIONS = {'raw': 'depth of the camera', 'new': 'enhanced depth',
             'est': 'depth estimated from colour'}
_THREE = ' style="grid-template-columns:repeat(auto-fit,minmax(min(330px,100%),1fr))"'

_HTML = """
<div class="controls"><label>frame <select id="sv-frame"></select></label>
<label>surface <select id="sv-color"><option value="clay">clay</option>
<option value="rgb">camera image</option></select></label>
<span>drag to turn, scroll to zoom, double-click to reset</span></div>
<div class="columns"__STYLE__>__FIGURES__</div>
<script>(() => {
const frames = __DATA__, W = 600, H = 540, UNIT = __UNIT__, STEP = __STEP__;
const bytes = s => Uint8Array.from(atob(s), c => c.charCodeAt(0));
const views = __KEYS__.map(k => {
  const c = document.getElementById("sv-" + k); c.width = W; c.height = H;
  return {c, k, g: c.getContext("2d")};
});
const pick = document.getElementById("sv-frame"), color = document.getElementById("sv-color");
frames.forEach((f, i) => pick.add(new Option(f.label, i)));
let yaw = -0.55, pitch = 0.12, zoom = 1, asked = false;

function mesh(f, k) {  // points, normals and triangles of one depth image, made once
  if (f["mesh_" + k]) return f["mesh_" + k];
  if (typeof f.rgb === "string") f.rgb = bytes(f.rgb);
  const d = new Uint16Array(bytes(f[k]).buffer), n = f.w * f.h;
  const P = new Float32Array(3 * n), N = new Float32Array(3 * n), tri = [];
  for (let y = 0, i = 0; y < f.h; y++) for (let x = 0; x < f.w; x++, i++) {
    const z = d[i] * UNIT;
    P[3*i] = (x + 0.5 - f.cx) / f.f * z; P[3*i+1] = (y + 0.5 - f.cy) / f.f * z; P[3*i+2] = z;
  }
  const add = (a, b, c) => {
    if (!d[a] || !d[b] || !d[c]) return;
    const lo = Math.min(d[a], d[b], d[c]), hi = Math.max(d[a], d[b], d[c]);
    if ((hi - lo) * UNIT > STEP) return;
    tri.push(a, b, c);
    const u = [0, 1, 2].map(q => P[3*b+q] - P[3*a+q]), v = [0, 1, 2].map(q => P[3*c+q] - P[3*a+q]);
    const m = [u[1]*v[2] - u[2]*v[1], u[2]*v[0] - u[0]*v[2], u[0]*v[1] - u[1]*v[0]];
    for (const i of [a, b, c]) for (let q = 0; q < 3; q++) N[3*i+q] += m[q];
  };
  for (let y = 0; y + 1 < f.h; y++) for (let x = 0; x + 1 < f.w; x++) {
    const i = y * f.w + x; add(i, i + f.w, i + 1); add(i + 1, i + f.w, i + f.w + 1);
  }
  for (let i = 0; i < n; i++) {
    const l = Math.hypot(N[3*i], N[3*i+1], N[3*i+2]) || 1;
    for (let q = 0; q < 3; q++) N[3*i+q] /= l;
  }
  return f["mesh_" + k] = {P, N, tri: Uint32Array.from(tri), n};
}
function draw() {
  asked = false;
  const f = frames[pick.value], [mx, my, mz] = f.middle;
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const scale = 0.8 * H / f.extent * zoom, away = 0.9, L = [-0.42, -0.5, -0.757];
  for (const {k, g} of views) {
    const {P, N, tri, n} = mesh(f, k), img = g.createImageData(W, H);
    const px = new Uint32Array(img.data.buffer).fill(0xff15110f);
    const depth = new Float32Array(W * H).fill(1e9), S = new Float32Array(3 * n);
    const shade = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const x = P[3*i] - mx, y = P[3*i+1] - my, z = P[3*i+2] - mz;
      const x1 = cy*x + sy*z, z1 = cy*z - sy*x, y1 = cp*y - sp*z1, z2 = sp*y + cp*z1;
      const w = scale * away / (away + z2);
      S[3*i] = W/2 + x1*w; S[3*i+1] = H/2 + y1*w; S[3*i+2] = z2;
      const a = N[3*i], b = N[3*i+1], c = N[3*i+2];
      const a1 = cy*a + sy*c, c1 = cy*c - sy*a, b1 = cp*b - sp*c1, c2 = sp*b + cp*c1;
      const side = c2 > 0 ? -1 : 1;
      shade[i] = Math.max(0, side * (L[0]*a1 + L[1]*b1 + L[2]*c2));
    }
    const own = color.value === "rgb";
    for (let t = 0; t < tri.length; t += 3) {
      const a = tri[t], b = tri[t+1], c = tri[t+2];
      const ax = S[3*a], ay = S[3*a+1], bx = S[3*b], by = S[3*b+1], cx = S[3*c], qy = S[3*c+1];
      const area = (bx - ax) * (qy - ay) - (by - ay) * (cx - ax);
      if (!area) continue;
      const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
      const x1 = Math.min(W - 1, Math.floor(Math.max(ax, bx, cx) + 0.5));
      const y0 = Math.max(0, Math.ceil(Math.min(ay, by, qy) - 0.5));
      const y1 = Math.min(H - 1, Math.floor(Math.max(ay, by, qy) + 0.5));
      for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) {
        const v = ((x - ax) * (qy - ay) - (y - ay) * (cx - ax)) / area;
        const w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area, u = 1 - v - w;
        if (u < -0.02 || v < -0.02 || w < -0.02) continue;
        const z = u*S[3*a+2] + v*S[3*b+2] + w*S[3*c+2], q = y * W + x;
        if (z >= depth[q]) continue;
        depth[q] = z;
        const s = u*shade[a] + v*shade[b] + w*shade[c], m = own ? 0.55 + 0.5*s : 0.14 + 0.86*s;
        const [r, e, l] = own ? [f.rgb[3*a], f.rgb[3*a+1], f.rgb[3*a+2]] : [226, 208, 190];
        px[q] = 0xff000000 | Math.min(255, l*m) << 16 | Math.min(255, e*m) << 8
          | Math.min(255, r*m);
      }
    }
    g.putImageData(img, 0, 0);
  }
}
const ask = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };
for (const {c} of views) {
  c.onpointerdown = e => c.setPointerCapture(e.pointerId);
  c.onpointermove = e => { if (e.buttons) {
    yaw += e.movementX * 0.01; pitch = Math.max(-1.5, Math.min(1.5, pitch - e.movementY * 0.01));
    ask(); } };
  c.onwheel = e => { e.preventDefault(); zoom *= Math.exp(-e.deltaY * 0.001); ask(); };
  c.ondblclick = () => { yaw = -0.55; pitch = 0.12; zoom = 1; ask(); };
}
pick.onchange = color.onchange = ask; draw();
})();</script>
"""


@dataclass(frozen=True)
class SurfaceView:
    """
    One face to be looked at.

    :param color: (H, W, 3) uint8 RGB, the whole frame
    :param raw: metres, (H, W) float32, NaN where invalid
    :param enhanced: metres, (H, W) float32, NaN where invalid
    :param estimated: the same, from colour; None where no estimator ran
    """

    label: str
    color: np.ndarray
    raw: np.ndarray
    enhanced: np.ndarray
    box: FaceBox
    intrinsics: CameraIntrinsics
    estimated: np.ndarray | None = None


def surface_viewer(views: Sequence[SurfaceView], after: str | None = None) -> str:
    """
    Return the viewer as HTML; empty when there is nothing to show.

    :param after: what the second surface is, where it is not enhanced depth; plain text
    """
    frames = [frame for view in views if (frame := _frame(view)) is not None]
    if not frames:
        return ''
    captions = _CAPTIONS if after is None else {**_CAPTIONS, 'new': escape(after)}
    keys = [key for key in captions if all(key in frame for frame in frames)]
    figures = ''.join(f'<figure><canvas class="viewer" id="sv-{key}"></canvas>'
                      f'<figcaption>{captions[key]}</figcaption></figure>' for key in keys)
    return (_HTML.replace('__DATA__', json.dumps(frames)).replace('__KEYS__', json.dumps(keys))
            .replace('__FIGURES__', figures).replace('__STYLE__', _THREE if len(keys) > 2 else '')
            .replace('__UNIT__', repr(_WIRE_UNIT_M)).replace('__STEP__', repr(_SAME_SURFACE_M)))


def _frame(view: SurfaceView) -> dict[str, object] | None:
    """Cut the face out, keep what lies within 18 cm of it, and pack it."""
    corners = view.box.corners()
    margin = _MARGIN * view.box.side
    height, width = view.raw.shape
    x0, y0 = (max(0, math.floor(v)) for v in corners.min(0) - margin)
    x1 = min(width, math.ceil(corners[:, 0].max() + margin))
    y1 = min(height, math.ceil(corners[:, 1].max() + margin))
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    step = math.ceil(max(x1 - x0, y1 - y0) / _MAX_SIDE)
    region = np.s_[y0:y1:step, x0:x1:step]
    inner = np.s_[max(round(view.box.center_y - view.box.side / 4), 0):
                  round(view.box.center_y + view.box.side / 4),
                  max(round(view.box.center_x - view.box.side / 4), 0):
                  round(view.box.center_x + view.box.side / 4)]
    core = view.enhanced[inner]
    if not np.isfinite(core).any():
        return None
    middle_z = float(np.nanmedian(core))
    focal = view.intrinsics.fx
    center = view.intrinsics.unproject(
        np.array([view.box.center_x, view.box.center_y]), np.array(middle_z))
    packed: dict[str, object] = {}
    surfaces = {'raw': view.raw, 'new': view.enhanced}
    if view.estimated is not None:
        surfaces['est'] = view.estimated
    for key, depth in surfaces.items():
        near = np.where(np.abs(depth - middle_z) < 0.18, depth, np.nan)
        wire = np.rint(np.nan_to_num(near[region]) / _WIRE_UNIT_M).astype('<u2')
        packed[key] = _base64(wire)
    h, w = wire.shape
    return packed | {
        'label': view.label, 'w': w, 'h': h, 'f': focal / step,
        'cx': (view.intrinsics.cx - x0 + 0.5 * (step - 1)) / step,
        'cy': (view.intrinsics.cy - y0 + 0.5 * (step - 1)) / step,
        'rgb': _base64(view.color[region]), 'middle': [float(v) for v in center],
        'extent': view.box.side * (1 + _MARGIN) * middle_z / focal}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode('ascii')
