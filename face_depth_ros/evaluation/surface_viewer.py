# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A small viewer for reports: a face's surface before and after, turned with the mouse."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
import json
import math

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.evaluation.depth_view import DepthScale, shaded_depth
import numpy as np

_MAX_SIDE = 170
_MARGIN = 0.12
_WIRE_UNIT_M = 0.0001

_HTML = """
<div class="controls"><label>frame <select id="sv-frame"></select></label>
<label>colours <select id="sv-color"><option value="shade">shaded surface</option>
<option value="rgb">camera image</option></select></label>
<span>drag to turn, scroll to zoom, double-click to reset</span></div>
<div class="columns"><figure><canvas class="viewer" id="sv-raw"></canvas>
<figcaption>depth of the camera</figcaption></figure>
<figure><canvas class="viewer" id="sv-new"></canvas><figcaption>enhanced depth</figcaption>
</figure></div>
<script>(() => {
const frames = __DATA__, W = 580, H = 520;
const bytes = s => Uint8Array.from(atob(s), c => c.charCodeAt(0));
for (const f of frames) {
  for (const k of ["raw", "new"]) f[k] = new Uint16Array(bytes(f[k]).buffer);
  for (const k of ["rgb", "shade_raw", "shade_new"]) f[k] = bytes(f[k]);
}
const canvases = ["raw", "new"].map(k => {
  const c = document.getElementById("sv-" + k); c.width = W; c.height = H;
  return {c, k, g: c.getContext("2d")};
});
const pick = document.getElementById("sv-frame"), color = document.getElementById("sv-color");
frames.forEach((f, i) => pick.add(new Option(f.label, i)));
let yaw = -0.5, pitch = 0.15, zoom = 1, asked = false;
function cloud(f, k) {
  const P = f["points_" + k]; if (P) return P;
  const out = [], d = f[k];
  for (let y = 0, i = 0; y < f.h; y++) for (let x = 0; x < f.w; x++, i++) if (d[i]) {
    const z = d[i] * __UNIT__;
    out.push((x + 0.5 - f.cx) / f.f * z, (y + 0.5 - f.cy) / f.f * z, z, i);
  }
  return f["points_" + k] = new Float32Array(out);
}
function draw() {
  asked = false;
  const f = frames[pick.value], mid = f.middle;
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const s = 0.92 * H / f.extent * zoom, dist = 0.9;
  for (const {k, g} of canvases) {
    const P = cloud(f, k), img = g.createImageData(W, H), px = img.data;
    const zb = new Float32Array(W * H).fill(1e9);
    for (let i = 0; i < px.length; i += 4) {
      px[i] = 15; px[i+1] = 17; px[i+2] = 21; px[i+3] = 255;
    }
    const col = color.value === "rgb" ? f.rgb : f["shade_" + k];
    const spread = Math.max(1, Math.ceil(1.15 * s * mid[2] / f.f / 2));
    for (let n = 0; n < P.length; n += 4) {
      const x = P[n] - mid[0], y = P[n+1] - mid[1], z = P[n+2] - mid[2];
      const x1 = cy * x + sy * z, z1 = -sy * x + cy * z;
      const y1 = cp * y - sp * z1, z2 = sp * y + cp * z1, w = s * dist / (dist + z2);
      const u = Math.round(W / 2 + x1 * w), v = Math.round(H / 2 + y1 * w), j = P[n+3] * 3;
      for (let b = v - spread + 1; b <= v + spread - 1 + (spread === 1); b++)
        for (let a = u - spread + 1; a <= u + spread - 1 + (spread === 1); a++) {
          if (a < 0 || b < 0 || a >= W || b >= H) continue;
          const q = b * W + a;
          if (z2 < zb[q]) {
            zb[q] = z2; px[4*q] = col[j]; px[4*q+1] = col[j+1]; px[4*q+2] = col[j+2];
          }
        }
    }
    g.putImageData(img, 0, 0);
  }
}
const ask = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };
for (const {c} of canvases) {
  c.onpointerdown = e => c.setPointerCapture(e.pointerId);
  c.onpointermove = e => { if (e.buttons) {
    yaw += e.movementX * 0.01; pitch = Math.max(-1.5, Math.min(1.5, pitch + e.movementY * 0.01));
    ask(); } };
  c.onwheel = e => { e.preventDefault(); zoom *= Math.exp(-e.deltaY * 0.001); ask(); };
  c.ondblclick = () => { yaw = -0.5; pitch = 0.15; zoom = 1; ask(); };
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
    """

    label: str
    color: np.ndarray
    raw: np.ndarray
    enhanced: np.ndarray
    box: FaceBox
    intrinsics: CameraIntrinsics


def surface_viewer(views: Sequence[SurfaceView]) -> str:
    """Return the viewer as HTML; empty when there is nothing to show."""
    frames = [frame for view in views if (frame := _frame(view)) is not None]
    if not frames:
        return ''
    return _HTML.replace('__DATA__', json.dumps(frames)).replace('__UNIT__', str(_WIRE_UNIT_M))


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
    for key, depth in (('raw', view.raw), ('new', view.enhanced)):
        near = np.where(np.abs(depth - middle_z) < 0.18, depth, np.nan)
        # One hue for the whole surface: the shading alone tells the shape.
        shade = shaded_depth(near, DepthScale(middle_z - 0.12, middle_z + 0.28), focal)[region]
        wire = np.rint(np.nan_to_num(near[region]) / _WIRE_UNIT_M).astype('<u2')
        packed[key] = _base64(wire)
        packed[f'shade_{key}'] = _base64(shade)
    h, w = wire.shape
    return packed | {
        'label': view.label, 'w': w, 'h': h, 'f': focal / step,
        'cx': (view.intrinsics.cx - x0 + 0.5 * (step - 1)) / step,
        'cy': (view.intrinsics.cy - y0 + 0.5 * (step - 1)) / step,
        'rgb': _base64(view.color[region]), 'middle': [float(v) for v in center],
        'extent': view.box.side * (1 + _MARGIN) * middle_z / focal}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode('ascii')
