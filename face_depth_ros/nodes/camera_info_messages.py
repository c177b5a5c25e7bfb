# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seam of camera_info: passed on whole, checked where intrinsics are needed."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import InvalidCameraInfoError
from face_depth_ros.nodes.headers import header_of, stamp_of
from sensor_msgs.msg import CameraInfo


@dataclass(frozen=True)
class CameraInfoFrame:
    """
    A camera_info as it came; never mutated.

    :param message: all its fields, for those who republish it
    """

    stamp_ns: int
    frame_id: str
    message: CameraInfo

    def intrinsics(self) -> CameraIntrinsics:
        """
        Return the usable intrinsics.

        :raises InvalidCameraInfoError: K is 0, not finite, or there is no image size
        """
        k = self.message.k
        if k[0] == 0.0 and k[4] == 0.0:
            raise InvalidCameraInfoError(
                'camera_info has K = 0: got fx = fy = 0, expected a calibrated camera; calibrate '
                'it or let the driver load its calibration', cause='camera_info_k_zero')
        return CameraIntrinsics.from_k(k, self.message.width, self.message.height)

    def restamped(self, stamp_ns: int, frame_id: str) -> CameraInfoFrame:
        """Return the same calibration under the header of an image."""
        m = self.message
        message = CameraInfo(
            header=header_of(stamp_ns, frame_id), height=m.height, width=m.width,
            distortion_model=m.distortion_model, d=m.d, k=m.k, r=m.r, p=m.p,
            binning_x=m.binning_x, binning_y=m.binning_y, roi=m.roi)
        return CameraInfoFrame(stamp_ns, frame_id, message)


def camera_info_from_message(message: CameraInfo) -> CameraInfoFrame:
    """Wrap a message."""
    return CameraInfoFrame(stamp_of(message.header), message.header.frame_id, message)


def camera_info_to_message(frame: CameraInfoFrame) -> CameraInfo:
    """Unwrap a message."""
    return frame.message
