# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How reports look."""

from __future__ import annotations

STYLE = """
:root { --ink:#1b2330; --soft:#5d6878; --line:#e1e6ed; --page:#f4f6f9; --card:#fff;
  --accent:#0b7285; --ours:#e7f5f6; }
* { box-sizing:border-box; }
body { margin:0; background:var(--page); color:var(--ink);
  font:15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
    "DejaVu Sans", sans-serif; }
header { background:#12202f; color:#fff; padding:34px max(24px, calc(50vw - 640px)) 0; }
header h1 { margin:0; font-size:29px; font-weight:650; letter-spacing:-.01em; }
header p { margin:6px 0 20px; color:#a9bacb; }
nav { display:flex; flex-wrap:wrap; gap:4px 22px; padding-bottom:14px; }
nav a { color:#8fd3de; text-decoration:none; font-size:14px; }
nav a:hover { text-decoration:underline; }
main { max-width:1280px; margin:0 auto; padding:24px 24px 60px; }
section { background:var(--card); border:1px solid var(--line); border-radius:12px;
  padding:22px 26px 24px; margin-bottom:22px; scroll-margin-top:12px; }
h2 { margin:0 0 12px; font-size:20px; font-weight:650; }
h3 { margin:22px 0 8px; font-size:16px; }
h4 { margin:16px 0 6px; font-size:14px; }
p { margin:0 0 12px; max-width:85ch; }
p.lead { font-size:17px; line-height:1.5; margin-bottom:16px; }
p.warning { border-left:4px solid #e69f00; background:#fff6e0; border-radius:6px;
  padding:8px 14px; }
p.note { color:var(--soft); font-size:13.5px; }
.cards { display:grid; grid-template-columns:repeat(auto-fit, minmax(148px, 1fr)); gap:14px;
  margin-bottom:16px; }
.card { border:1px solid var(--line); border-left:4px solid var(--accent); border-radius:8px;
  padding:12px 16px; display:flex; flex-direction:column; }
.card b { font-size:22px; white-space:nowrap; font-weight:650;
  line-height:1.25; font-variant-numeric:tabular-nums; }
.card span { font-size:13.5px; }
.card small { color:var(--soft); font-size:12.5px; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; font-variant-numeric:tabular-nums; font-size:14px; }
th, td { padding:6px 13px; text-align:right; border-bottom:1px solid var(--line);
  white-space:nowrap; }
thead th { color:var(--soft); font-weight:600; font-size:13px; vertical-align:bottom; }
summary { cursor:pointer; color:var(--soft); font-size:13.5px; margin:6px 0; }
th small { display:block; font-weight:400; font-size:11.5px; }
tbody th, thead th:first-child { text-align:left; font-weight:600; }
tr.ours { background:var(--ours); }
tr.ours td, tr.ours th { font-weight:700; }
table.pairs td { text-align:left; white-space:normal; overflow-wrap:anywhere; }
table.pairs th { color:var(--soft); font-weight:500; vertical-align:top; }
table.pictures { width:100%; table-layout:fixed; min-width:900px; }
table.pictures th:first-child { width:92px; white-space:normal; }
table.pictures th, table.pictures td { border:0; padding:3px; text-align:center; }
table.pictures tbody th { font-weight:400; color:var(--soft); font-size:12.5px;
  text-align:right; padding-right:10px; }
table.pictures img { display:block; border-radius:6px; width:100%; height:auto; }
.thumbnails { display:flex; flex-wrap:wrap; gap:6px 14px; margin:4px 0 22px; }
.thumbnails figure { width:132px; }
.thumbnails img { border-radius:6px; }
figure { margin:0 0 8px; }
figure svg, figure img, figure canvas, video { max-width:100%; height:auto; display:block; }
figcaption { color:var(--soft); font-size:13px; max-width:85ch; margin-top:4px; }
video { width:100%; border-radius:8px; background:#0f1115; }
.columns { display:grid; grid-template-columns:repeat(auto-fit, minmax(min(460px, 100%), 1fr));
  gap:18px 30px; align-items:start; margin:10px 0; }
.legend { display:flex; flex-wrap:wrap; gap:4px 18px; font-size:13px; color:var(--soft);
  margin:2px 0 10px; align-items:center; }
.legend i { display:inline-block; width:13px; height:13px; border-radius:3px; margin-right:6px;
  vertical-align:-2px; }
.viewer { touch-action:none; cursor:grab; border-radius:8px; background:#0f1115; width:100%; }
.controls { display:flex; gap:10px; align-items:center; flex-wrap:wrap; margin:0 0 8px;
  font-size:13.5px; color:var(--soft); }
.controls select { font:inherit; padding:3px 6px; }
@media (max-width:640px) { main { padding:12px; } section { padding:16px; } }
@media print { body { background:#fff; } section { break-inside:avoid; border:0; } }
"""
