# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""An ament_python package; `make demo` and `make test` install it from here as well."""
from __future__ import annotations

from pathlib import Path

from setuptools import Extension, find_packages, setup

PACKAGE = 'face_depth_ros'
COMPONENTS = {
    # The names are those that launch files give to composable nodes.
    'face_depth_ros::FaceDetector': 'face_depth_ros.nodes.face_detector:FaceDetectorNode',
    'face_depth_ros::DepthEnhancer': 'face_depth_ros.nodes.depth_enhancer:DepthEnhancerNode',
    'face_depth_ros::DepthEstimator': 'face_depth_ros.nodes.depth_estimator:DepthEstimatorNode',
    'face_depth_ros::FaceRecognizer': 'face_depth_ros.nodes.face_recognizer:FaceRecognizerNode',
    'face_depth_ros::ExpressionRecognizer':
        'face_depth_ros.nodes.expression_recognizer:ExpressionRecognizerNode',
    'face_depth_ros::LivenessDetector':
        'face_depth_ros.nodes.liveness_detector:LivenessDetectorNode',
    'face_depth_ros::HriPublisher': 'face_depth_ros.nodes.hri_publisher:HriPublisherNode',
}
COMMANDS = {
    'replay': 'face_depth_ros.evaluation.replay:main',
    'evaluate': 'face_depth_ros.evaluation.evaluate:main',
    'gallery': 'face_depth_ros.evaluation.enroll_command:main',
    'build_engines': 'face_depth_ros.engines.build_engines:main',
    'component_container': 'face_depth_ros.nodes.component_container:main',
    'face_detector': 'face_depth_ros.nodes.face_detector:main',
    'depth_enhancer': 'face_depth_ros.nodes.depth_enhancer:main',
    'depth_estimator': 'face_depth_ros.nodes.depth_estimator:main',
    'face_recognizer': 'face_depth_ros.nodes.face_recognizer:main',
    'expression_recognizer': 'face_depth_ros.nodes.expression_recognizer:main',
    'liveness_detector': 'face_depth_ros.nodes.liveness_detector:main',
    'hri_publisher': 'face_depth_ros.nodes.hri_publisher:main',
}


# Opened by ctypes (core/native_library.py), so Python's headers are not needed. Optional: without
# a compiler the same is done in NumPy, more slowly.
NATIVE = 'face_depth_ros/core/native'


def native(name, *flags, depends=()):
    """Declare what is compiled of core."""
    return Extension(
        f'face_depth_ros.core._{name}', [f'{NATIVE}/{name}.cpp'], language='c++', optional=True,
        depends=[f'{NATIVE}/{file}' for file in depends],
        extra_compile_args=['-std=c++17', '-O3', '-fno-math-errno', '-fno-trapping-math', *flags])


SHAPE_FITTING = native(
    'shape_fitting', '-ffp-contract=fast', '-fno-signed-zeros', '-fassociative-math',
    '-Wno-psabi', depends=['shape_fitting_rounds.hpp'])
DEPTH_WARPING = native('depth_warping', '-ffp-contract=off')


def shared(folder, *patterns):
    """List the files of a folder for `share/face_depth_ros/<folder>`."""
    files = sorted(str(path) for pattern in patterns for path in Path(folder).glob(pattern))
    return (f'share/{PACKAGE}/{folder}', files)


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Enhanced depth, identity and expression of faces from an RGB-D camera, for ROS 2',
    license='MIT',
    maintainer='face_depth_ros contributors',
    maintainer_email='face-depth-ros@users.noreply.github.com',
    python_requires='>=3.10',
    install_requires=['setuptools'],
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    ext_modules=[SHAPE_FITTING, DEPTH_WARPING],
    zip_safe=False,
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        shared('launch', '*.launch.py'),
        shared('config', '*.yaml', '*.xml', '*.rviz'),
        shared('models', '*.onnx', '*.yaml', '*.npz', '*.md'),
    ],
    entry_points={
        'console_scripts': [f'{name} = {target}' for name, target in COMMANDS.items()],
        f'{PACKAGE}.components': [f'{name} = {target}' for name, target in COMPONENTS.items()],
    },
)
