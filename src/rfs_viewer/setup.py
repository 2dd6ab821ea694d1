from setuptools import find_packages, setup

setup(
    name="rfs_viewer",
    version="0.1.0",
    description="The operator's view of a session in a browser",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rfs_viewer"]),
        ("share/rfs_viewer", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["viewer_node = rfs_viewer.nodes.viewer_node:main"]},
    zip_safe=False,
)
