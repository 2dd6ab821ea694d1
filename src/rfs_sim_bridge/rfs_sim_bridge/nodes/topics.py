"""What the bridge publishes of a grasp task, and how."""

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2

from rfs_description import kinematics
from rfs_msgs.msg import GraspReward
from rfs_sim_bridge import rewards
from rfs_sim_bridge.camera_noise import Exposure, noisy_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.nodes import messages
from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.snapshot import Snapshot

# In lockstep an episode runs faster than a busy recorder may read: nothing must be overwritten meanwhile.
_DEPTH = 100


BLOWN_UP = "the physics blew up, so the episode is a failure: reset the scene"


class Topics:
    """Publishers of a node for environment 0 of a task. Stamps are those of the state they describe.

    reward_topic: where the simulator's own reward goes.
    """

    def __init__(self, node: Node, task: GraspTask, reliable_camera: bool, reward_topic: str) -> None:
        reliability = ReliabilityPolicy.RELIABLE if reliable_camera else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=_DEPTH, reliability=reliability)
        self._task = task
        self._camera = Camera()
        self._clock = node.create_publisher(Clock, "/clock", _DEPTH) if reliable_camera else None
        self._joint_states = node.create_publisher(JointState, "/joint_states", _DEPTH)
        self._points = node.create_publisher(PointCloud2, "/camera/points", qos)
        self._color = node.create_publisher(Image, "/camera/color/image_raw", qos)
        self._depth = node.create_publisher(Image, "/camera/depth/image_rect", qos)
        self._info = node.create_publisher(CameraInfo, "/camera/color/camera_info", qos)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._extrinsics = node.create_publisher(TransformStamped, "/camera/color/extrinsics", latched)
        self._extrinsics.publish(messages.extrinsics(node.get_clock().now().to_msg(), self._camera))
        self._reward = node.create_publisher(GraspReward, reward_topic, _DEPTH)
        self._object_pose = node.create_publisher(PoseStamped, "/sim/object_pose", _DEPTH)

    def publish_clock(self, stamp: Time) -> None:
        """Simulated time; only where it is simulated."""
        if self._clock is not None:
            self._clock.publish(Clock(clock=stamp))

    def publish_joint_states(self, stamp: Time) -> None:
        """Measured positions and velocities."""
        task = self._task
        self._joint_states.publish(
            messages.joint_states(stamp, task.joint_positions[0], task.joint_velocities[0])
        )

    def publish_points(self, stamp: Time) -> None:
        """The cropped cloud."""
        self._points.publish(messages.point_cloud(stamp, self._task.clouds()[0]))

    def publish_images(self, stamp: Time, snapshot: Snapshot, exposure: Exposure) -> None:
        """Color, depth and intrinsics. Takes some ms, and needs nothing of the task."""
        picture = noisy_picture(snapshot, self._camera, exposure)
        self._info.publish(messages.camera_info(stamp, self._camera))
        self._color.publish(messages.image(stamp, picture.color))
        self._depth.publish(messages.image(stamp, picture.depth))

    def publish_object(self, stamp: Time) -> None:
        """Ground truth of the object: its pose, and the reward computed from it."""
        position, quaternion = (part[0] for part in self._task.object_pose)
        self._object_pose.publish(messages.pose(stamp, position, quaternion))
        self._reward.publish(self._reward_message(stamp, position))

    def _reward_message(self, stamp: Time, position: np.ndarray) -> GraspReward:
        task = self._task
        palm, _ = kinematics.forward(task.joint_positions[0, :7])
        terms = task.reward_terms()
        message = GraspReward(
            palm_distance=float(np.linalg.norm(palm - position)),
            lift=float(task.lift[0]),
            reward=float(rewards.total(terms)[0]),
            term_names=list(terms),
            terms=[float(value[0]) for value in terms.values()],
            weights=[rewards.WEIGHTS[name] for name in terms],
            success=bool(task.success[0]),
            tracking=GraspReward.TRACKING_SEEN,
            confidence=1.0,
            source="simulator",
        )
        message.header = messages.pose(stamp, position, (0, 0, 0, 1)).header
        message.centroid.x, message.centroid.y, message.centroid.z = position.tolist()
        return message
