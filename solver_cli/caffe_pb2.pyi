"""The messages of Caffe's files. Made from protos/caffe.proto by protos/generate.py: do not edit. Enum values are ints."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

DESCRIPTOR: FileDescriptor

class Phase(int, metaclass=EnumTypeWrapper):
    TRAIN: ClassVar[int]
    TEST: ClassVar[int]

TRAIN: int
TEST: int
class Type(int, metaclass=EnumTypeWrapper):
    DOUBLE: ClassVar[int]
    FLOAT: ClassVar[int]
    FLOAT16: ClassVar[int]
    INT: ClassVar[int]
    UINT: ClassVar[int]
    BOOL: ClassVar[int]

DOUBLE: int
FLOAT: int
FLOAT16: int
INT: int
UINT: int
BOOL: int

class BlobShape(Message):
    DIM_FIELD_NUMBER: ClassVar[int]
    dim: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        dim: Iterable[int] | None = ...,
    ) -> None: ...

class BlobProto(Message):
    SHAPE_FIELD_NUMBER: ClassVar[int]
    DATA_FIELD_NUMBER: ClassVar[int]
    DIFF_FIELD_NUMBER: ClassVar[int]
    DOUBLE_DATA_FIELD_NUMBER: ClassVar[int]
    DOUBLE_DIFF_FIELD_NUMBER: ClassVar[int]
    NUM_FIELD_NUMBER: ClassVar[int]
    CHANNELS_FIELD_NUMBER: ClassVar[int]
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    @property
    def shape(self) -> BlobShape: ...
    data: RepeatedScalarFieldContainer[float]
    diff: RepeatedScalarFieldContainer[float]
    double_data: RepeatedScalarFieldContainer[float]
    double_diff: RepeatedScalarFieldContainer[float]
    num: int
    channels: int
    height: int
    width: int
    def __init__(
        self,
        *,
        shape: BlobShape | Mapping[str, Any] | None = ...,
        data: Iterable[float] | None = ...,
        diff: Iterable[float] | None = ...,
        double_data: Iterable[float] | None = ...,
        double_diff: Iterable[float] | None = ...,
        num: int | None = ...,
        channels: int | None = ...,
        height: int | None = ...,
        width: int | None = ...,
    ) -> None: ...

class BlobProtoVector(Message):
    BLOBS_FIELD_NUMBER: ClassVar[int]
    blobs: RepeatedCompositeFieldContainer[BlobProto]
    def __init__(
        self,
        *,
        blobs: Iterable[BlobProto | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class Datum(Message):
    CHANNELS_FIELD_NUMBER: ClassVar[int]
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    DATA_FIELD_NUMBER: ClassVar[int]
    LABEL_FIELD_NUMBER: ClassVar[int]
    FLOAT_DATA_FIELD_NUMBER: ClassVar[int]
    ENCODED_FIELD_NUMBER: ClassVar[int]
    channels: int
    height: int
    width: int
    data: bytes
    label: int
    float_data: RepeatedScalarFieldContainer[float]
    encoded: bool
    def __init__(
        self,
        *,
        channels: int | None = ...,
        height: int | None = ...,
        width: int | None = ...,
        data: bytes | None = ...,
        label: int | None = ...,
        float_data: Iterable[float] | None = ...,
        encoded: bool | None = ...,
    ) -> None: ...

class FillerParameter(Message):
    class VarianceNorm(int, metaclass=EnumTypeWrapper):
        FAN_IN: ClassVar[int]
        FAN_OUT: ClassVar[int]
        AVERAGE: ClassVar[int]
    FAN_IN: ClassVar[int]
    FAN_OUT: ClassVar[int]
    AVERAGE: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    VALUE_FIELD_NUMBER: ClassVar[int]
    MIN_FIELD_NUMBER: ClassVar[int]
    MAX_FIELD_NUMBER: ClassVar[int]
    MEAN_FIELD_NUMBER: ClassVar[int]
    STD_FIELD_NUMBER: ClassVar[int]
    SPARSE_FIELD_NUMBER: ClassVar[int]
    VARIANCE_NORM_FIELD_NUMBER: ClassVar[int]
    type: str
    value: float
    min: float
    max: float
    mean: float
    std: float
    sparse: int
    variance_norm: int
    def __init__(
        self,
        *,
        type: str | None = ...,
        value: float | None = ...,
        min: float | None = ...,
        max: float | None = ...,
        mean: float | None = ...,
        std: float | None = ...,
        sparse: int | None = ...,
        variance_norm: int | str | None = ...,
    ) -> None: ...

class SolverParameter(Message):
    class SnapshotFormat(int, metaclass=EnumTypeWrapper):
        HDF5: ClassVar[int]
        BINARYPROTO: ClassVar[int]
    HDF5: ClassVar[int]
    BINARYPROTO: ClassVar[int]
    class SolverMode(int, metaclass=EnumTypeWrapper):
        CPU: ClassVar[int]
        GPU: ClassVar[int]
    CPU: ClassVar[int]
    GPU: ClassVar[int]
    class SolverType(int, metaclass=EnumTypeWrapper):
        SGD: ClassVar[int]
        NESTEROV: ClassVar[int]
        ADAGRAD: ClassVar[int]
        RMSPROP: ClassVar[int]
        ADADELTA: ClassVar[int]
        ADAM: ClassVar[int]
    SGD: ClassVar[int]
    NESTEROV: ClassVar[int]
    ADAGRAD: ClassVar[int]
    RMSPROP: ClassVar[int]
    ADADELTA: ClassVar[int]
    ADAM: ClassVar[int]
    NET_FIELD_NUMBER: ClassVar[int]
    NET_PARAM_FIELD_NUMBER: ClassVar[int]
    TRAIN_NET_FIELD_NUMBER: ClassVar[int]
    TRAIN_NET_PARAM_FIELD_NUMBER: ClassVar[int]
    TEST_NET_FIELD_NUMBER: ClassVar[int]
    TEST_NET_PARAM_FIELD_NUMBER: ClassVar[int]
    TRAIN_STATE_FIELD_NUMBER: ClassVar[int]
    TEST_STATE_FIELD_NUMBER: ClassVar[int]
    TEST_ITER_FIELD_NUMBER: ClassVar[int]
    TEST_INTERVAL_FIELD_NUMBER: ClassVar[int]
    TEST_INITIALIZATION_FIELD_NUMBER: ClassVar[int]
    TEST_COMPUTE_LOSS_FIELD_NUMBER: ClassVar[int]
    MAX_ITER_FIELD_NUMBER: ClassVar[int]
    ITER_SIZE_FIELD_NUMBER: ClassVar[int]
    DISPLAY_FIELD_NUMBER: ClassVar[int]
    AVERAGE_LOSS_FIELD_NUMBER: ClassVar[int]
    DEBUG_INFO_FIELD_NUMBER: ClassVar[int]
    BASE_LR_FIELD_NUMBER: ClassVar[int]
    LR_POLICY_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    POWER_FIELD_NUMBER: ClassVar[int]
    STEPSIZE_FIELD_NUMBER: ClassVar[int]
    STEPVALUE_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    MOMENTUM_FIELD_NUMBER: ClassVar[int]
    MOMENTUM2_FIELD_NUMBER: ClassVar[int]
    RMS_DECAY_FIELD_NUMBER: ClassVar[int]
    DELTA_FIELD_NUMBER: ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: ClassVar[int]
    REGULARIZATION_TYPE_FIELD_NUMBER: ClassVar[int]
    CLIP_GRADIENTS_FIELD_NUMBER: ClassVar[int]
    WEIGHTS_FIELD_NUMBER: ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: ClassVar[int]
    SNAPSHOT_PREFIX_FIELD_NUMBER: ClassVar[int]
    SNAPSHOT_AFTER_TRAIN_FIELD_NUMBER: ClassVar[int]
    SNAPSHOT_DIFF_FIELD_NUMBER: ClassVar[int]
    SNAPSHOT_FORMAT_FIELD_NUMBER: ClassVar[int]
    SOLVER_MODE_FIELD_NUMBER: ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: ClassVar[int]
    RANDOM_SEED_FIELD_NUMBER: ClassVar[int]
    LAYER_WISE_REDUCE_FIELD_NUMBER: ClassVar[int]
    SOLVER_TYPE_FIELD_NUMBER: ClassVar[int]
    net: str
    @property
    def net_param(self) -> NetParameter: ...
    train_net: str
    @property
    def train_net_param(self) -> NetParameter: ...
    test_net: RepeatedScalarFieldContainer[str]
    test_net_param: RepeatedCompositeFieldContainer[NetParameter]
    @property
    def train_state(self) -> NetState: ...
    test_state: RepeatedCompositeFieldContainer[NetState]
    test_iter: RepeatedScalarFieldContainer[int]
    test_interval: int
    test_initialization: bool
    test_compute_loss: bool
    max_iter: int
    iter_size: int
    display: int
    average_loss: int
    debug_info: bool
    base_lr: float
    lr_policy: str
    gamma: float
    power: float
    stepsize: int
    stepvalue: RepeatedScalarFieldContainer[int]
    type: str
    momentum: float
    momentum2: float
    rms_decay: float
    delta: float
    weight_decay: float
    regularization_type: str
    clip_gradients: float
    weights: RepeatedScalarFieldContainer[str]
    snapshot: int
    snapshot_prefix: str
    snapshot_after_train: bool
    snapshot_diff: bool
    snapshot_format: int
    solver_mode: int
    device_id: int
    random_seed: int
    layer_wise_reduce: bool
    solver_type: int
    def __init__(
        self,
        *,
        net: str | None = ...,
        net_param: NetParameter | Mapping[str, Any] | None = ...,
        train_net: str | None = ...,
        train_net_param: NetParameter | Mapping[str, Any] | None = ...,
        test_net: Iterable[str] | None = ...,
        test_net_param: Iterable[NetParameter | Mapping[str, Any]] | None = ...,
        train_state: NetState | Mapping[str, Any] | None = ...,
        test_state: Iterable[NetState | Mapping[str, Any]] | None = ...,
        test_iter: Iterable[int] | None = ...,
        test_interval: int | None = ...,
        test_initialization: bool | None = ...,
        test_compute_loss: bool | None = ...,
        max_iter: int | None = ...,
        iter_size: int | None = ...,
        display: int | None = ...,
        average_loss: int | None = ...,
        debug_info: bool | None = ...,
        base_lr: float | None = ...,
        lr_policy: str | None = ...,
        gamma: float | None = ...,
        power: float | None = ...,
        stepsize: int | None = ...,
        stepvalue: Iterable[int] | None = ...,
        type: str | None = ...,
        momentum: float | None = ...,
        momentum2: float | None = ...,
        rms_decay: float | None = ...,
        delta: float | None = ...,
        weight_decay: float | None = ...,
        regularization_type: str | None = ...,
        clip_gradients: float | None = ...,
        weights: Iterable[str] | None = ...,
        snapshot: int | None = ...,
        snapshot_prefix: str | None = ...,
        snapshot_after_train: bool | None = ...,
        snapshot_diff: bool | None = ...,
        snapshot_format: int | str | None = ...,
        solver_mode: int | str | None = ...,
        device_id: int | None = ...,
        random_seed: int | None = ...,
        layer_wise_reduce: bool | None = ...,
        solver_type: int | str | None = ...,
    ) -> None: ...

class SolverState(Message):
    ITER_FIELD_NUMBER: ClassVar[int]
    LEARNED_NET_FIELD_NUMBER: ClassVar[int]
    HISTORY_FIELD_NUMBER: ClassVar[int]
    CURRENT_STEP_FIELD_NUMBER: ClassVar[int]
    iter: int
    learned_net: str
    history: RepeatedCompositeFieldContainer[BlobProto]
    current_step: int
    def __init__(
        self,
        *,
        iter: int | None = ...,
        learned_net: str | None = ...,
        history: Iterable[BlobProto | Mapping[str, Any]] | None = ...,
        current_step: int | None = ...,
    ) -> None: ...

class NetParameter(Message):
    NAME_FIELD_NUMBER: ClassVar[int]
    LAYER_FIELD_NUMBER: ClassVar[int]
    STATE_FIELD_NUMBER: ClassVar[int]
    FORCE_BACKWARD_FIELD_NUMBER: ClassVar[int]
    DEBUG_INFO_FIELD_NUMBER: ClassVar[int]
    INPUT_FIELD_NUMBER: ClassVar[int]
    INPUT_SHAPE_FIELD_NUMBER: ClassVar[int]
    INPUT_DIM_FIELD_NUMBER: ClassVar[int]
    LAYERS_FIELD_NUMBER: ClassVar[int]
    DEFAULT_FORWARD_TYPE_FIELD_NUMBER: ClassVar[int]
    DEFAULT_BACKWARD_TYPE_FIELD_NUMBER: ClassVar[int]
    DEFAULT_FORWARD_MATH_FIELD_NUMBER: ClassVar[int]
    DEFAULT_BACKWARD_MATH_FIELD_NUMBER: ClassVar[int]
    GLOBAL_GRAD_SCALE_FIELD_NUMBER: ClassVar[int]
    GLOBAL_GRAD_SCALE_ADAPTIVE_FIELD_NUMBER: ClassVar[int]
    DEFAULT_CUDNN_MATH_OVERRIDE_FIELD_NUMBER: ClassVar[int]
    name: str
    layer: RepeatedCompositeFieldContainer[LayerParameter]
    @property
    def state(self) -> NetState: ...
    force_backward: bool
    debug_info: bool
    input: RepeatedScalarFieldContainer[str]
    input_shape: RepeatedCompositeFieldContainer[BlobShape]
    input_dim: RepeatedScalarFieldContainer[int]
    layers: RepeatedCompositeFieldContainer[V1LayerParameter]
    default_forward_type: int
    default_backward_type: int
    default_forward_math: int
    default_backward_math: int
    global_grad_scale: float
    global_grad_scale_adaptive: bool
    default_cudnn_math_override: int
    def __init__(
        self,
        *,
        name: str | None = ...,
        layer: Iterable[LayerParameter | Mapping[str, Any]] | None = ...,
        state: NetState | Mapping[str, Any] | None = ...,
        force_backward: bool | None = ...,
        debug_info: bool | None = ...,
        input: Iterable[str] | None = ...,
        input_shape: Iterable[BlobShape | Mapping[str, Any]] | None = ...,
        input_dim: Iterable[int] | None = ...,
        layers: Iterable[V1LayerParameter | Mapping[str, Any]] | None = ...,
        default_forward_type: int | str | None = ...,
        default_backward_type: int | str | None = ...,
        default_forward_math: int | str | None = ...,
        default_backward_math: int | str | None = ...,
        global_grad_scale: float | None = ...,
        global_grad_scale_adaptive: bool | None = ...,
        default_cudnn_math_override: int | None = ...,
    ) -> None: ...

class NetState(Message):
    PHASE_FIELD_NUMBER: ClassVar[int]
    LEVEL_FIELD_NUMBER: ClassVar[int]
    STAGE_FIELD_NUMBER: ClassVar[int]
    phase: int
    level: int
    stage: RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        *,
        phase: int | str | None = ...,
        level: int | None = ...,
        stage: Iterable[str] | None = ...,
    ) -> None: ...

class NetStateRule(Message):
    PHASE_FIELD_NUMBER: ClassVar[int]
    MIN_LEVEL_FIELD_NUMBER: ClassVar[int]
    MAX_LEVEL_FIELD_NUMBER: ClassVar[int]
    STAGE_FIELD_NUMBER: ClassVar[int]
    NOT_STAGE_FIELD_NUMBER: ClassVar[int]
    phase: int
    min_level: int
    max_level: int
    stage: RepeatedScalarFieldContainer[str]
    not_stage: RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        *,
        phase: int | str | None = ...,
        min_level: int | None = ...,
        max_level: int | None = ...,
        stage: Iterable[str] | None = ...,
        not_stage: Iterable[str] | None = ...,
    ) -> None: ...

class ParamSpec(Message):
    class DimCheckMode(int, metaclass=EnumTypeWrapper):
        STRICT: ClassVar[int]
        PERMISSIVE: ClassVar[int]
    STRICT: ClassVar[int]
    PERMISSIVE: ClassVar[int]
    NAME_FIELD_NUMBER: ClassVar[int]
    SHARE_MODE_FIELD_NUMBER: ClassVar[int]
    LR_MULT_FIELD_NUMBER: ClassVar[int]
    DECAY_MULT_FIELD_NUMBER: ClassVar[int]
    name: str
    share_mode: int
    lr_mult: float
    decay_mult: float
    def __init__(
        self,
        *,
        name: str | None = ...,
        share_mode: int | str | None = ...,
        lr_mult: float | None = ...,
        decay_mult: float | None = ...,
    ) -> None: ...

class LayerParameter(Message):
    NAME_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    BOTTOM_FIELD_NUMBER: ClassVar[int]
    TOP_FIELD_NUMBER: ClassVar[int]
    INCLUDE_FIELD_NUMBER: ClassVar[int]
    EXCLUDE_FIELD_NUMBER: ClassVar[int]
    PHASE_FIELD_NUMBER: ClassVar[int]
    LOSS_WEIGHT_FIELD_NUMBER: ClassVar[int]
    PROPAGATE_DOWN_FIELD_NUMBER: ClassVar[int]
    PARAM_FIELD_NUMBER: ClassVar[int]
    BLOBS_FIELD_NUMBER: ClassVar[int]
    TRANSFORM_PARAM_FIELD_NUMBER: ClassVar[int]
    LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    ARGMAX_PARAM_FIELD_NUMBER: ClassVar[int]
    BATCH_NORM_PARAM_FIELD_NUMBER: ClassVar[int]
    BIAS_PARAM_FIELD_NUMBER: ClassVar[int]
    CLIP_PARAM_FIELD_NUMBER: ClassVar[int]
    CONCAT_PARAM_FIELD_NUMBER: ClassVar[int]
    CONTRASTIVE_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    CONVOLUTION_PARAM_FIELD_NUMBER: ClassVar[int]
    CROP_PARAM_FIELD_NUMBER: ClassVar[int]
    DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    DROPOUT_PARAM_FIELD_NUMBER: ClassVar[int]
    DUMMY_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    ELTWISE_PARAM_FIELD_NUMBER: ClassVar[int]
    ELU_PARAM_FIELD_NUMBER: ClassVar[int]
    EMBED_PARAM_FIELD_NUMBER: ClassVar[int]
    EXP_PARAM_FIELD_NUMBER: ClassVar[int]
    FLATTEN_PARAM_FIELD_NUMBER: ClassVar[int]
    HDF5_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    HDF5_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    HINGE_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    IMAGE_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    INFOGAIN_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    INNER_PRODUCT_PARAM_FIELD_NUMBER: ClassVar[int]
    INPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    LOG_PARAM_FIELD_NUMBER: ClassVar[int]
    LRN_PARAM_FIELD_NUMBER: ClassVar[int]
    MEMORY_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    MVN_PARAM_FIELD_NUMBER: ClassVar[int]
    PARAMETER_PARAM_FIELD_NUMBER: ClassVar[int]
    POOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    POWER_PARAM_FIELD_NUMBER: ClassVar[int]
    PRELU_PARAM_FIELD_NUMBER: ClassVar[int]
    PYTHON_PARAM_FIELD_NUMBER: ClassVar[int]
    RECURRENT_PARAM_FIELD_NUMBER: ClassVar[int]
    REDUCTION_PARAM_FIELD_NUMBER: ClassVar[int]
    RELU_PARAM_FIELD_NUMBER: ClassVar[int]
    RESHAPE_PARAM_FIELD_NUMBER: ClassVar[int]
    SCALE_PARAM_FIELD_NUMBER: ClassVar[int]
    SIGMOID_PARAM_FIELD_NUMBER: ClassVar[int]
    SLICE_PARAM_FIELD_NUMBER: ClassVar[int]
    SOFTMAX_PARAM_FIELD_NUMBER: ClassVar[int]
    SPP_PARAM_FIELD_NUMBER: ClassVar[int]
    SWISH_PARAM_FIELD_NUMBER: ClassVar[int]
    TANH_PARAM_FIELD_NUMBER: ClassVar[int]
    THRESHOLD_PARAM_FIELD_NUMBER: ClassVar[int]
    TILE_PARAM_FIELD_NUMBER: ClassVar[int]
    WINDOW_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    FORWARD_TYPE_FIELD_NUMBER: ClassVar[int]
    BACKWARD_TYPE_FIELD_NUMBER: ClassVar[int]
    FORWARD_MATH_FIELD_NUMBER: ClassVar[int]
    BACKWARD_MATH_FIELD_NUMBER: ClassVar[int]
    CUDNN_MATH_OVERRIDE_FIELD_NUMBER: ClassVar[int]
    name: str
    type: str
    bottom: RepeatedScalarFieldContainer[str]
    top: RepeatedScalarFieldContainer[str]
    include: RepeatedCompositeFieldContainer[NetStateRule]
    exclude: RepeatedCompositeFieldContainer[NetStateRule]
    phase: int
    loss_weight: RepeatedScalarFieldContainer[float]
    propagate_down: RepeatedScalarFieldContainer[bool]
    param: RepeatedCompositeFieldContainer[ParamSpec]
    blobs: RepeatedCompositeFieldContainer[BlobProto]
    @property
    def transform_param(self) -> TransformationParameter: ...
    @property
    def loss_param(self) -> LossParameter: ...
    @property
    def accuracy_param(self) -> AccuracyParameter: ...
    @property
    def argmax_param(self) -> ArgMaxParameter: ...
    @property
    def batch_norm_param(self) -> BatchNormParameter: ...
    @property
    def bias_param(self) -> BiasParameter: ...
    @property
    def clip_param(self) -> ClipParameter: ...
    @property
    def concat_param(self) -> ConcatParameter: ...
    @property
    def contrastive_loss_param(self) -> ContrastiveLossParameter: ...
    @property
    def convolution_param(self) -> ConvolutionParameter: ...
    @property
    def crop_param(self) -> CropParameter: ...
    @property
    def data_param(self) -> DataParameter: ...
    @property
    def dropout_param(self) -> DropoutParameter: ...
    @property
    def dummy_data_param(self) -> DummyDataParameter: ...
    @property
    def eltwise_param(self) -> EltwiseParameter: ...
    @property
    def elu_param(self) -> ELUParameter: ...
    @property
    def embed_param(self) -> EmbedParameter: ...
    @property
    def exp_param(self) -> ExpParameter: ...
    @property
    def flatten_param(self) -> FlattenParameter: ...
    @property
    def hdf5_data_param(self) -> HDF5DataParameter: ...
    @property
    def hdf5_output_param(self) -> HDF5OutputParameter: ...
    @property
    def hinge_loss_param(self) -> HingeLossParameter: ...
    @property
    def image_data_param(self) -> ImageDataParameter: ...
    @property
    def infogain_loss_param(self) -> InfogainLossParameter: ...
    @property
    def inner_product_param(self) -> InnerProductParameter: ...
    @property
    def input_param(self) -> InputParameter: ...
    @property
    def log_param(self) -> LogParameter: ...
    @property
    def lrn_param(self) -> LRNParameter: ...
    @property
    def memory_data_param(self) -> MemoryDataParameter: ...
    @property
    def mvn_param(self) -> MVNParameter: ...
    @property
    def parameter_param(self) -> ParameterParameter: ...
    @property
    def pooling_param(self) -> PoolingParameter: ...
    @property
    def power_param(self) -> PowerParameter: ...
    @property
    def prelu_param(self) -> PReLUParameter: ...
    @property
    def python_param(self) -> PythonParameter: ...
    @property
    def recurrent_param(self) -> RecurrentParameter: ...
    @property
    def reduction_param(self) -> ReductionParameter: ...
    @property
    def relu_param(self) -> ReLUParameter: ...
    @property
    def reshape_param(self) -> ReshapeParameter: ...
    @property
    def scale_param(self) -> ScaleParameter: ...
    @property
    def sigmoid_param(self) -> SigmoidParameter: ...
    @property
    def slice_param(self) -> SliceParameter: ...
    @property
    def softmax_param(self) -> SoftmaxParameter: ...
    @property
    def spp_param(self) -> SPPParameter: ...
    @property
    def swish_param(self) -> SwishParameter: ...
    @property
    def tanh_param(self) -> TanHParameter: ...
    @property
    def threshold_param(self) -> ThresholdParameter: ...
    @property
    def tile_param(self) -> TileParameter: ...
    @property
    def window_data_param(self) -> WindowDataParameter: ...
    forward_type: int
    backward_type: int
    forward_math: int
    backward_math: int
    cudnn_math_override: int
    def __init__(
        self,
        *,
        name: str | None = ...,
        type: str | None = ...,
        bottom: Iterable[str] | None = ...,
        top: Iterable[str] | None = ...,
        include: Iterable[NetStateRule | Mapping[str, Any]] | None = ...,
        exclude: Iterable[NetStateRule | Mapping[str, Any]] | None = ...,
        phase: int | str | None = ...,
        loss_weight: Iterable[float] | None = ...,
        propagate_down: Iterable[bool] | None = ...,
        param: Iterable[ParamSpec | Mapping[str, Any]] | None = ...,
        blobs: Iterable[BlobProto | Mapping[str, Any]] | None = ...,
        transform_param: TransformationParameter | Mapping[str, Any] | None = ...,
        loss_param: LossParameter | Mapping[str, Any] | None = ...,
        accuracy_param: AccuracyParameter | Mapping[str, Any] | None = ...,
        argmax_param: ArgMaxParameter | Mapping[str, Any] | None = ...,
        batch_norm_param: BatchNormParameter | Mapping[str, Any] | None = ...,
        bias_param: BiasParameter | Mapping[str, Any] | None = ...,
        clip_param: ClipParameter | Mapping[str, Any] | None = ...,
        concat_param: ConcatParameter | Mapping[str, Any] | None = ...,
        contrastive_loss_param: ContrastiveLossParameter | Mapping[str, Any] | None = ...,
        convolution_param: ConvolutionParameter | Mapping[str, Any] | None = ...,
        crop_param: CropParameter | Mapping[str, Any] | None = ...,
        data_param: DataParameter | Mapping[str, Any] | None = ...,
        dropout_param: DropoutParameter | Mapping[str, Any] | None = ...,
        dummy_data_param: DummyDataParameter | Mapping[str, Any] | None = ...,
        eltwise_param: EltwiseParameter | Mapping[str, Any] | None = ...,
        elu_param: ELUParameter | Mapping[str, Any] | None = ...,
        embed_param: EmbedParameter | Mapping[str, Any] | None = ...,
        exp_param: ExpParameter | Mapping[str, Any] | None = ...,
        flatten_param: FlattenParameter | Mapping[str, Any] | None = ...,
        hdf5_data_param: HDF5DataParameter | Mapping[str, Any] | None = ...,
        hdf5_output_param: HDF5OutputParameter | Mapping[str, Any] | None = ...,
        hinge_loss_param: HingeLossParameter | Mapping[str, Any] | None = ...,
        image_data_param: ImageDataParameter | Mapping[str, Any] | None = ...,
        infogain_loss_param: InfogainLossParameter | Mapping[str, Any] | None = ...,
        inner_product_param: InnerProductParameter | Mapping[str, Any] | None = ...,
        input_param: InputParameter | Mapping[str, Any] | None = ...,
        log_param: LogParameter | Mapping[str, Any] | None = ...,
        lrn_param: LRNParameter | Mapping[str, Any] | None = ...,
        memory_data_param: MemoryDataParameter | Mapping[str, Any] | None = ...,
        mvn_param: MVNParameter | Mapping[str, Any] | None = ...,
        parameter_param: ParameterParameter | Mapping[str, Any] | None = ...,
        pooling_param: PoolingParameter | Mapping[str, Any] | None = ...,
        power_param: PowerParameter | Mapping[str, Any] | None = ...,
        prelu_param: PReLUParameter | Mapping[str, Any] | None = ...,
        python_param: PythonParameter | Mapping[str, Any] | None = ...,
        recurrent_param: RecurrentParameter | Mapping[str, Any] | None = ...,
        reduction_param: ReductionParameter | Mapping[str, Any] | None = ...,
        relu_param: ReLUParameter | Mapping[str, Any] | None = ...,
        reshape_param: ReshapeParameter | Mapping[str, Any] | None = ...,
        scale_param: ScaleParameter | Mapping[str, Any] | None = ...,
        sigmoid_param: SigmoidParameter | Mapping[str, Any] | None = ...,
        slice_param: SliceParameter | Mapping[str, Any] | None = ...,
        softmax_param: SoftmaxParameter | Mapping[str, Any] | None = ...,
        spp_param: SPPParameter | Mapping[str, Any] | None = ...,
        swish_param: SwishParameter | Mapping[str, Any] | None = ...,
        tanh_param: TanHParameter | Mapping[str, Any] | None = ...,
        threshold_param: ThresholdParameter | Mapping[str, Any] | None = ...,
        tile_param: TileParameter | Mapping[str, Any] | None = ...,
        window_data_param: WindowDataParameter | Mapping[str, Any] | None = ...,
        forward_type: int | str | None = ...,
        backward_type: int | str | None = ...,
        forward_math: int | str | None = ...,
        backward_math: int | str | None = ...,
        cudnn_math_override: int | None = ...,
    ) -> None: ...

class TransformationParameter(Message):
    class InterpolationAlgo(int, metaclass=EnumTypeWrapper):
        INTER_NEAREST: ClassVar[int]
        INTER_LINEAR: ClassVar[int]
        INTER_CUBIC: ClassVar[int]
        INTER_AREA: ClassVar[int]
    INTER_NEAREST: ClassVar[int]
    INTER_LINEAR: ClassVar[int]
    INTER_CUBIC: ClassVar[int]
    INTER_AREA: ClassVar[int]
    class Packing(int, metaclass=EnumTypeWrapper):
        NCHW: ClassVar[int]
        NHWC: ClassVar[int]
    NCHW: ClassVar[int]
    NHWC: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    MEAN_VALUE_FIELD_NUMBER: ClassVar[int]
    FORCE_COLOR_FIELD_NUMBER: ClassVar[int]
    FORCE_GRAY_FIELD_NUMBER: ClassVar[int]
    IMG_RAND_RESIZE_LOWER_FIELD_NUMBER: ClassVar[int]
    IMG_RAND_RESIZE_UPPER_FIELD_NUMBER: ClassVar[int]
    RAND_RESIZE_RATIO_LOWER_FIELD_NUMBER: ClassVar[int]
    RAND_RESIZE_RATIO_UPPER_FIELD_NUMBER: ClassVar[int]
    VERTICAL_STRETCH_LOWER_FIELD_NUMBER: ClassVar[int]
    VERTICAL_STRETCH_UPPER_FIELD_NUMBER: ClassVar[int]
    HORIZONTAL_STRETCH_LOWER_FIELD_NUMBER: ClassVar[int]
    HORIZONTAL_STRETCH_UPPER_FIELD_NUMBER: ClassVar[int]
    INTERPOLATION_ALGO_DOWN_FIELD_NUMBER: ClassVar[int]
    INTERPOLATION_ALGO_UP_FIELD_NUMBER: ClassVar[int]
    ALLOW_UPSCALE_FIELD_NUMBER: ClassVar[int]
    RANDOM_SEED_FIELD_NUMBER: ClassVar[int]
    CROP_H_FIELD_NUMBER: ClassVar[int]
    CROP_W_FIELD_NUMBER: ClassVar[int]
    USE_GPU_TRANSFORM_FIELD_NUMBER: ClassVar[int]
    FORWARD_PACKING_FIELD_NUMBER: ClassVar[int]
    scale: float
    mirror: bool
    crop_size: int
    mean_file: str
    mean_value: RepeatedScalarFieldContainer[float]
    force_color: bool
    force_gray: bool
    img_rand_resize_lower: int
    img_rand_resize_upper: int
    rand_resize_ratio_lower: float
    rand_resize_ratio_upper: float
    vertical_stretch_lower: float
    vertical_stretch_upper: float
    horizontal_stretch_lower: float
    horizontal_stretch_upper: float
    interpolation_algo_down: int
    interpolation_algo_up: int
    allow_upscale: bool
    random_seed: int
    crop_h: int
    crop_w: int
    use_gpu_transform: bool
    forward_packing: int
    def __init__(
        self,
        *,
        scale: float | None = ...,
        mirror: bool | None = ...,
        crop_size: int | None = ...,
        mean_file: str | None = ...,
        mean_value: Iterable[float] | None = ...,
        force_color: bool | None = ...,
        force_gray: bool | None = ...,
        img_rand_resize_lower: int | None = ...,
        img_rand_resize_upper: int | None = ...,
        rand_resize_ratio_lower: float | None = ...,
        rand_resize_ratio_upper: float | None = ...,
        vertical_stretch_lower: float | None = ...,
        vertical_stretch_upper: float | None = ...,
        horizontal_stretch_lower: float | None = ...,
        horizontal_stretch_upper: float | None = ...,
        interpolation_algo_down: int | str | None = ...,
        interpolation_algo_up: int | str | None = ...,
        allow_upscale: bool | None = ...,
        random_seed: int | None = ...,
        crop_h: int | None = ...,
        crop_w: int | None = ...,
        use_gpu_transform: bool | None = ...,
        forward_packing: int | str | None = ...,
    ) -> None: ...

class LossParameter(Message):
    class NormalizationMode(int, metaclass=EnumTypeWrapper):
        FULL: ClassVar[int]
        VALID: ClassVar[int]
        BATCH_SIZE: ClassVar[int]
        NONE: ClassVar[int]
    FULL: ClassVar[int]
    VALID: ClassVar[int]
    BATCH_SIZE: ClassVar[int]
    NONE: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    NORMALIZATION_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_FIELD_NUMBER: ClassVar[int]
    ignore_label: int
    normalization: int
    normalize: bool
    def __init__(
        self,
        *,
        ignore_label: int | None = ...,
        normalization: int | str | None = ...,
        normalize: bool | None = ...,
    ) -> None: ...

class DataParameter(Message):
    class DB(int, metaclass=EnumTypeWrapper):
        LEVELDB: ClassVar[int]
        LMDB: ClassVar[int]
    LEVELDB: ClassVar[int]
    LMDB: ClassVar[int]
    SOURCE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    BACKEND_FIELD_NUMBER: ClassVar[int]
    RAND_SKIP_FIELD_NUMBER: ClassVar[int]
    FORCE_ENCODED_COLOR_FIELD_NUMBER: ClassVar[int]
    PREFETCH_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    source: str
    batch_size: int
    backend: int
    rand_skip: int
    force_encoded_color: bool
    prefetch: int
    scale: float
    mean_file: str
    crop_size: int
    mirror: bool
    def __init__(
        self,
        *,
        source: str | None = ...,
        batch_size: int | None = ...,
        backend: int | str | None = ...,
        rand_skip: int | None = ...,
        force_encoded_color: bool | None = ...,
        prefetch: int | None = ...,
        scale: float | None = ...,
        mean_file: str | None = ...,
        crop_size: int | None = ...,
        mirror: bool | None = ...,
    ) -> None: ...

class DummyDataParameter(Message):
    DATA_FILLER_FIELD_NUMBER: ClassVar[int]
    SHAPE_FIELD_NUMBER: ClassVar[int]
    NUM_FIELD_NUMBER: ClassVar[int]
    CHANNELS_FIELD_NUMBER: ClassVar[int]
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    data_filler: RepeatedCompositeFieldContainer[FillerParameter]
    shape: RepeatedCompositeFieldContainer[BlobShape]
    num: RepeatedScalarFieldContainer[int]
    channels: RepeatedScalarFieldContainer[int]
    height: RepeatedScalarFieldContainer[int]
    width: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        data_filler: Iterable[FillerParameter | Mapping[str, Any]] | None = ...,
        shape: Iterable[BlobShape | Mapping[str, Any]] | None = ...,
        num: Iterable[int] | None = ...,
        channels: Iterable[int] | None = ...,
        height: Iterable[int] | None = ...,
        width: Iterable[int] | None = ...,
    ) -> None: ...

class HDF5DataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    source: str
    batch_size: int
    shuffle: bool
    def __init__(
        self,
        *,
        source: str | None = ...,
        batch_size: int | None = ...,
        shuffle: bool | None = ...,
    ) -> None: ...

class ImageDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    RAND_SKIP_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    NEW_HEIGHT_FIELD_NUMBER: ClassVar[int]
    NEW_WIDTH_FIELD_NUMBER: ClassVar[int]
    IS_COLOR_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    source: str
    batch_size: int
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    is_color: bool
    root_folder: str
    scale: float
    mean_file: str
    crop_size: int
    mirror: bool
    def __init__(
        self,
        *,
        source: str | None = ...,
        batch_size: int | None = ...,
        rand_skip: int | None = ...,
        shuffle: bool | None = ...,
        new_height: int | None = ...,
        new_width: int | None = ...,
        is_color: bool | None = ...,
        root_folder: str | None = ...,
        scale: float | None = ...,
        mean_file: str | None = ...,
        crop_size: int | None = ...,
        mirror: bool | None = ...,
    ) -> None: ...

class InputParameter(Message):
    SHAPE_FIELD_NUMBER: ClassVar[int]
    shape: RepeatedCompositeFieldContainer[BlobShape]
    def __init__(
        self,
        *,
        shape: Iterable[BlobShape | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class MemoryDataParameter(Message):
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    CHANNELS_FIELD_NUMBER: ClassVar[int]
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    batch_size: int
    channels: int
    height: int
    width: int
    def __init__(
        self,
        *,
        batch_size: int | None = ...,
        channels: int | None = ...,
        height: int | None = ...,
        width: int | None = ...,
    ) -> None: ...

class WindowDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    FG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    BG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    FG_FRACTION_FIELD_NUMBER: ClassVar[int]
    CONTEXT_PAD_FIELD_NUMBER: ClassVar[int]
    CROP_MODE_FIELD_NUMBER: ClassVar[int]
    CACHE_IMAGES_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    source: str
    batch_size: int
    fg_threshold: float
    bg_threshold: float
    fg_fraction: float
    context_pad: int
    crop_mode: str
    cache_images: bool
    root_folder: str
    scale: float
    mean_file: str
    crop_size: int
    mirror: bool
    def __init__(
        self,
        *,
        source: str | None = ...,
        batch_size: int | None = ...,
        fg_threshold: float | None = ...,
        bg_threshold: float | None = ...,
        fg_fraction: float | None = ...,
        context_pad: int | None = ...,
        crop_mode: str | None = ...,
        cache_images: bool | None = ...,
        root_folder: str | None = ...,
        scale: float | None = ...,
        mean_file: str | None = ...,
        crop_size: int | None = ...,
        mirror: bool | None = ...,
    ) -> None: ...

class HDF5OutputParameter(Message):
    FILE_NAME_FIELD_NUMBER: ClassVar[int]
    file_name: str
    def __init__(
        self,
        *,
        file_name: str | None = ...,
    ) -> None: ...

class AccuracyParameter(Message):
    TOP_K_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    top_k: int
    axis: int
    ignore_label: int
    def __init__(
        self,
        *,
        top_k: int | None = ...,
        axis: int | None = ...,
        ignore_label: int | None = ...,
    ) -> None: ...

class ArgMaxParameter(Message):
    OUT_MAX_VAL_FIELD_NUMBER: ClassVar[int]
    TOP_K_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    out_max_val: bool
    top_k: int
    axis: int
    def __init__(
        self,
        *,
        out_max_val: bool | None = ...,
        top_k: int | None = ...,
        axis: int | None = ...,
    ) -> None: ...

class BatchNormParameter(Message):
    USE_GLOBAL_STATS_FIELD_NUMBER: ClassVar[int]
    MOVING_AVERAGE_FRACTION_FIELD_NUMBER: ClassVar[int]
    EPS_FIELD_NUMBER: ClassVar[int]
    use_global_stats: bool
    moving_average_fraction: float
    eps: float
    def __init__(
        self,
        *,
        use_global_stats: bool | None = ...,
        moving_average_fraction: float | None = ...,
        eps: float | None = ...,
    ) -> None: ...

class BiasParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    NUM_AXES_FIELD_NUMBER: ClassVar[int]
    FILLER_FIELD_NUMBER: ClassVar[int]
    axis: int
    num_axes: int
    @property
    def filler(self) -> FillerParameter: ...
    def __init__(
        self,
        *,
        axis: int | None = ...,
        num_axes: int | None = ...,
        filler: FillerParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class ClipParameter(Message):
    MIN_FIELD_NUMBER: ClassVar[int]
    MAX_FIELD_NUMBER: ClassVar[int]
    min: float
    max: float
    def __init__(
        self,
        *,
        min: float | None = ...,
        max: float | None = ...,
    ) -> None: ...

class ConcatParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    CONCAT_DIM_FIELD_NUMBER: ClassVar[int]
    axis: int
    concat_dim: int
    def __init__(
        self,
        *,
        axis: int | None = ...,
        concat_dim: int | None = ...,
    ) -> None: ...

class ContrastiveLossParameter(Message):
    MARGIN_FIELD_NUMBER: ClassVar[int]
    LEGACY_VERSION_FIELD_NUMBER: ClassVar[int]
    margin: float
    legacy_version: bool
    def __init__(
        self,
        *,
        margin: float | None = ...,
        legacy_version: bool | None = ...,
    ) -> None: ...

class ConvolutionParameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    PAD_FIELD_NUMBER: ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    DILATION_FIELD_NUMBER: ClassVar[int]
    GROUP_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    PAD_H_FIELD_NUMBER: ClassVar[int]
    PAD_W_FIELD_NUMBER: ClassVar[int]
    KERNEL_H_FIELD_NUMBER: ClassVar[int]
    KERNEL_W_FIELD_NUMBER: ClassVar[int]
    STRIDE_H_FIELD_NUMBER: ClassVar[int]
    STRIDE_W_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    FORCE_ND_IM2COL_FIELD_NUMBER: ClassVar[int]
    num_output: int
    bias_term: bool
    pad: RepeatedScalarFieldContainer[int]
    kernel_size: RepeatedScalarFieldContainer[int]
    stride: RepeatedScalarFieldContainer[int]
    dilation: RepeatedScalarFieldContainer[int]
    group: int
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: int
    axis: int
    force_nd_im2col: bool
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        bias_term: bool | None = ...,
        pad: Iterable[int] | None = ...,
        kernel_size: Iterable[int] | None = ...,
        stride: Iterable[int] | None = ...,
        dilation: Iterable[int] | None = ...,
        group: int | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        pad_h: int | None = ...,
        pad_w: int | None = ...,
        kernel_h: int | None = ...,
        kernel_w: int | None = ...,
        stride_h: int | None = ...,
        stride_w: int | None = ...,
        engine: int | str | None = ...,
        axis: int | None = ...,
        force_nd_im2col: bool | None = ...,
    ) -> None: ...

class CropParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    OFFSET_FIELD_NUMBER: ClassVar[int]
    axis: int
    offset: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        axis: int | None = ...,
        offset: Iterable[int] | None = ...,
    ) -> None: ...

class DropoutParameter(Message):
    DROPOUT_RATIO_FIELD_NUMBER: ClassVar[int]
    dropout_ratio: float
    def __init__(
        self,
        *,
        dropout_ratio: float | None = ...,
    ) -> None: ...

class EltwiseParameter(Message):
    class EltwiseOp(int, metaclass=EnumTypeWrapper):
        PROD: ClassVar[int]
        SUM: ClassVar[int]
        MAX: ClassVar[int]
    PROD: ClassVar[int]
    SUM: ClassVar[int]
    MAX: ClassVar[int]
    OPERATION_FIELD_NUMBER: ClassVar[int]
    COEFF_FIELD_NUMBER: ClassVar[int]
    STABLE_PROD_GRAD_FIELD_NUMBER: ClassVar[int]
    operation: int
    coeff: RepeatedScalarFieldContainer[float]
    stable_prod_grad: bool
    def __init__(
        self,
        *,
        operation: int | str | None = ...,
        coeff: Iterable[float] | None = ...,
        stable_prod_grad: bool | None = ...,
    ) -> None: ...

class ELUParameter(Message):
    ALPHA_FIELD_NUMBER: ClassVar[int]
    alpha: float
    def __init__(
        self,
        *,
        alpha: float | None = ...,
    ) -> None: ...

class EmbedParameter(Message):
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    INPUT_DIM_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    num_output: int
    input_dim: int
    bias_term: bool
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        input_dim: int | None = ...,
        bias_term: bool | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class ExpParameter(Message):
    BASE_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    SHIFT_FIELD_NUMBER: ClassVar[int]
    base: float
    scale: float
    shift: float
    def __init__(
        self,
        *,
        base: float | None = ...,
        scale: float | None = ...,
        shift: float | None = ...,
    ) -> None: ...

class FlattenParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    END_AXIS_FIELD_NUMBER: ClassVar[int]
    axis: int
    end_axis: int
    def __init__(
        self,
        *,
        axis: int | None = ...,
        end_axis: int | None = ...,
    ) -> None: ...

class HingeLossParameter(Message):
    class Norm(int, metaclass=EnumTypeWrapper):
        L1: ClassVar[int]
        L2: ClassVar[int]
    L1: ClassVar[int]
    L2: ClassVar[int]
    NORM_FIELD_NUMBER: ClassVar[int]
    norm: int
    def __init__(
        self,
        *,
        norm: int | str | None = ...,
    ) -> None: ...

class InfogainLossParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    source: str
    axis: int
    def __init__(
        self,
        *,
        source: str | None = ...,
        axis: int | None = ...,
    ) -> None: ...

class InnerProductParameter(Message):
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    TRANSPOSE_FIELD_NUMBER: ClassVar[int]
    num_output: int
    bias_term: bool
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    axis: int
    transpose: bool
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        bias_term: bool | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        transpose: bool | None = ...,
    ) -> None: ...

class LogParameter(Message):
    BASE_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    SHIFT_FIELD_NUMBER: ClassVar[int]
    base: float
    scale: float
    shift: float
    def __init__(
        self,
        *,
        base: float | None = ...,
        scale: float | None = ...,
        shift: float | None = ...,
    ) -> None: ...

class LRNParameter(Message):
    class NormRegion(int, metaclass=EnumTypeWrapper):
        ACROSS_CHANNELS: ClassVar[int]
        WITHIN_CHANNEL: ClassVar[int]
    ACROSS_CHANNELS: ClassVar[int]
    WITHIN_CHANNEL: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    LOCAL_SIZE_FIELD_NUMBER: ClassVar[int]
    ALPHA_FIELD_NUMBER: ClassVar[int]
    BETA_FIELD_NUMBER: ClassVar[int]
    NORM_REGION_FIELD_NUMBER: ClassVar[int]
    K_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    local_size: int
    alpha: float
    beta: float
    norm_region: int
    k: float
    engine: int
    def __init__(
        self,
        *,
        local_size: int | None = ...,
        alpha: float | None = ...,
        beta: float | None = ...,
        norm_region: int | str | None = ...,
        k: float | None = ...,
        engine: int | str | None = ...,
    ) -> None: ...

class MVNParameter(Message):
    NORMALIZE_VARIANCE_FIELD_NUMBER: ClassVar[int]
    ACROSS_CHANNELS_FIELD_NUMBER: ClassVar[int]
    EPS_FIELD_NUMBER: ClassVar[int]
    normalize_variance: bool
    across_channels: bool
    eps: float
    def __init__(
        self,
        *,
        normalize_variance: bool | None = ...,
        across_channels: bool | None = ...,
        eps: float | None = ...,
    ) -> None: ...

class ParameterParameter(Message):
    SHAPE_FIELD_NUMBER: ClassVar[int]
    @property
    def shape(self) -> BlobShape: ...
    def __init__(
        self,
        *,
        shape: BlobShape | Mapping[str, Any] | None = ...,
    ) -> None: ...

class PoolingParameter(Message):
    class PoolMethod(int, metaclass=EnumTypeWrapper):
        MAX: ClassVar[int]
        AVE: ClassVar[int]
        STOCHASTIC: ClassVar[int]
    MAX: ClassVar[int]
    AVE: ClassVar[int]
    STOCHASTIC: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    class RoundMode(int, metaclass=EnumTypeWrapper):
        CEIL: ClassVar[int]
        FLOOR: ClassVar[int]
    CEIL: ClassVar[int]
    FLOOR: ClassVar[int]
    POOL_FIELD_NUMBER: ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: ClassVar[int]
    KERNEL_H_FIELD_NUMBER: ClassVar[int]
    KERNEL_W_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    STRIDE_H_FIELD_NUMBER: ClassVar[int]
    STRIDE_W_FIELD_NUMBER: ClassVar[int]
    PAD_FIELD_NUMBER: ClassVar[int]
    PAD_H_FIELD_NUMBER: ClassVar[int]
    PAD_W_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    GLOBAL_POOLING_FIELD_NUMBER: ClassVar[int]
    ROUND_MODE_FIELD_NUMBER: ClassVar[int]
    pool: int
    kernel_size: int
    kernel_h: int
    kernel_w: int
    stride: int
    stride_h: int
    stride_w: int
    pad: int
    pad_h: int
    pad_w: int
    engine: int
    global_pooling: bool
    round_mode: int
    def __init__(
        self,
        *,
        pool: int | str | None = ...,
        kernel_size: int | None = ...,
        kernel_h: int | None = ...,
        kernel_w: int | None = ...,
        stride: int | None = ...,
        stride_h: int | None = ...,
        stride_w: int | None = ...,
        pad: int | None = ...,
        pad_h: int | None = ...,
        pad_w: int | None = ...,
        engine: int | str | None = ...,
        global_pooling: bool | None = ...,
        round_mode: int | str | None = ...,
    ) -> None: ...

class PowerParameter(Message):
    POWER_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    SHIFT_FIELD_NUMBER: ClassVar[int]
    power: float
    scale: float
    shift: float
    def __init__(
        self,
        *,
        power: float | None = ...,
        scale: float | None = ...,
        shift: float | None = ...,
    ) -> None: ...

class PReLUParameter(Message):
    FILLER_FIELD_NUMBER: ClassVar[int]
    CHANNEL_SHARED_FIELD_NUMBER: ClassVar[int]
    @property
    def filler(self) -> FillerParameter: ...
    channel_shared: bool
    def __init__(
        self,
        *,
        filler: FillerParameter | Mapping[str, Any] | None = ...,
        channel_shared: bool | None = ...,
    ) -> None: ...

class PythonParameter(Message):
    MODULE_FIELD_NUMBER: ClassVar[int]
    LAYER_FIELD_NUMBER: ClassVar[int]
    PARAM_STR_FIELD_NUMBER: ClassVar[int]
    SHARE_IN_PARALLEL_FIELD_NUMBER: ClassVar[int]
    module: str
    layer: str
    param_str: str
    share_in_parallel: bool
    def __init__(
        self,
        *,
        module: str | None = ...,
        layer: str | None = ...,
        param_str: str | None = ...,
        share_in_parallel: bool | None = ...,
    ) -> None: ...

class RecurrentParameter(Message):
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    DEBUG_INFO_FIELD_NUMBER: ClassVar[int]
    EXPOSE_HIDDEN_FIELD_NUMBER: ClassVar[int]
    num_output: int
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    debug_info: bool
    expose_hidden: bool
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        debug_info: bool | None = ...,
        expose_hidden: bool | None = ...,
    ) -> None: ...

class ReductionParameter(Message):
    class ReductionOp(int, metaclass=EnumTypeWrapper):
        SUM: ClassVar[int]
        ASUM: ClassVar[int]
        SUMSQ: ClassVar[int]
        MEAN: ClassVar[int]
    SUM: ClassVar[int]
    ASUM: ClassVar[int]
    SUMSQ: ClassVar[int]
    MEAN: ClassVar[int]
    OPERATION_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    COEFF_FIELD_NUMBER: ClassVar[int]
    operation: int
    axis: int
    coeff: float
    def __init__(
        self,
        *,
        operation: int | str | None = ...,
        axis: int | None = ...,
        coeff: float | None = ...,
    ) -> None: ...

class ReLUParameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    NEGATIVE_SLOPE_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    negative_slope: float
    engine: int
    def __init__(
        self,
        *,
        negative_slope: float | None = ...,
        engine: int | str | None = ...,
    ) -> None: ...

class ReshapeParameter(Message):
    SHAPE_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    NUM_AXES_FIELD_NUMBER: ClassVar[int]
    @property
    def shape(self) -> BlobShape: ...
    axis: int
    num_axes: int
    def __init__(
        self,
        *,
        shape: BlobShape | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        num_axes: int | None = ...,
    ) -> None: ...

class ScaleParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    NUM_AXES_FIELD_NUMBER: ClassVar[int]
    FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    axis: int
    num_axes: int
    @property
    def filler(self) -> FillerParameter: ...
    bias_term: bool
    @property
    def bias_filler(self) -> FillerParameter: ...
    def __init__(
        self,
        *,
        axis: int | None = ...,
        num_axes: int | None = ...,
        filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_term: bool | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class SigmoidParameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    engine: int
    def __init__(
        self,
        *,
        engine: int | str | None = ...,
    ) -> None: ...

class SliceParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    SLICE_POINT_FIELD_NUMBER: ClassVar[int]
    SLICE_DIM_FIELD_NUMBER: ClassVar[int]
    axis: int
    slice_point: RepeatedScalarFieldContainer[int]
    slice_dim: int
    def __init__(
        self,
        *,
        axis: int | None = ...,
        slice_point: Iterable[int] | None = ...,
        slice_dim: int | None = ...,
    ) -> None: ...

class SoftmaxParameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    engine: int
    axis: int
    def __init__(
        self,
        *,
        engine: int | str | None = ...,
        axis: int | None = ...,
    ) -> None: ...

class SPPParameter(Message):
    class PoolMethod(int, metaclass=EnumTypeWrapper):
        MAX: ClassVar[int]
        AVE: ClassVar[int]
        STOCHASTIC: ClassVar[int]
    MAX: ClassVar[int]
    AVE: ClassVar[int]
    STOCHASTIC: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    PYRAMID_HEIGHT_FIELD_NUMBER: ClassVar[int]
    POOL_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    pyramid_height: int
    pool: int
    engine: int
    def __init__(
        self,
        *,
        pyramid_height: int | None = ...,
        pool: int | str | None = ...,
        engine: int | str | None = ...,
    ) -> None: ...

class SwishParameter(Message):
    BETA_FIELD_NUMBER: ClassVar[int]
    beta: float
    def __init__(
        self,
        *,
        beta: float | None = ...,
    ) -> None: ...

class TanHParameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    engine: int
    def __init__(
        self,
        *,
        engine: int | str | None = ...,
    ) -> None: ...

class ThresholdParameter(Message):
    THRESHOLD_FIELD_NUMBER: ClassVar[int]
    threshold: float
    def __init__(
        self,
        *,
        threshold: float | None = ...,
    ) -> None: ...

class TileParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    TILES_FIELD_NUMBER: ClassVar[int]
    axis: int
    tiles: int
    def __init__(
        self,
        *,
        axis: int | None = ...,
        tiles: int | None = ...,
    ) -> None: ...

class V1LayerParameter(Message):
    class DimCheckMode(int, metaclass=EnumTypeWrapper):
        STRICT: ClassVar[int]
        PERMISSIVE: ClassVar[int]
    STRICT: ClassVar[int]
    PERMISSIVE: ClassVar[int]
    class LayerType(int, metaclass=EnumTypeWrapper):
        NONE: ClassVar[int]
        ACCURACY: ClassVar[int]
        BNLL: ClassVar[int]
        CONCAT: ClassVar[int]
        CONVOLUTION: ClassVar[int]
        DATA: ClassVar[int]
        DROPOUT: ClassVar[int]
        EUCLIDEAN_LOSS: ClassVar[int]
        FLATTEN: ClassVar[int]
        HDF5_DATA: ClassVar[int]
        HDF5_OUTPUT: ClassVar[int]
        IM2COL: ClassVar[int]
        IMAGE_DATA: ClassVar[int]
        INFOGAIN_LOSS: ClassVar[int]
        INNER_PRODUCT: ClassVar[int]
        LRN: ClassVar[int]
        MULTINOMIAL_LOGISTIC_LOSS: ClassVar[int]
        POOLING: ClassVar[int]
        RELU: ClassVar[int]
        SIGMOID: ClassVar[int]
        SOFTMAX: ClassVar[int]
        SOFTMAX_LOSS: ClassVar[int]
        SPLIT: ClassVar[int]
        TANH: ClassVar[int]
        WINDOW_DATA: ClassVar[int]
        ELTWISE: ClassVar[int]
        POWER: ClassVar[int]
        SIGMOID_CROSS_ENTROPY_LOSS: ClassVar[int]
        HINGE_LOSS: ClassVar[int]
        MEMORY_DATA: ClassVar[int]
        ARGMAX: ClassVar[int]
        THRESHOLD: ClassVar[int]
        DUMMY_DATA: ClassVar[int]
        SLICE: ClassVar[int]
        MVN: ClassVar[int]
        ABSVAL: ClassVar[int]
        SILENCE: ClassVar[int]
        CONTRASTIVE_LOSS: ClassVar[int]
        EXP: ClassVar[int]
        DECONVOLUTION: ClassVar[int]
    NONE: ClassVar[int]
    ACCURACY: ClassVar[int]
    BNLL: ClassVar[int]
    CONCAT: ClassVar[int]
    CONVOLUTION: ClassVar[int]
    DATA: ClassVar[int]
    DROPOUT: ClassVar[int]
    EUCLIDEAN_LOSS: ClassVar[int]
    FLATTEN: ClassVar[int]
    HDF5_DATA: ClassVar[int]
    HDF5_OUTPUT: ClassVar[int]
    IM2COL: ClassVar[int]
    IMAGE_DATA: ClassVar[int]
    INFOGAIN_LOSS: ClassVar[int]
    INNER_PRODUCT: ClassVar[int]
    LRN: ClassVar[int]
    MULTINOMIAL_LOGISTIC_LOSS: ClassVar[int]
    POOLING: ClassVar[int]
    RELU: ClassVar[int]
    SIGMOID: ClassVar[int]
    SOFTMAX: ClassVar[int]
    SOFTMAX_LOSS: ClassVar[int]
    SPLIT: ClassVar[int]
    TANH: ClassVar[int]
    WINDOW_DATA: ClassVar[int]
    ELTWISE: ClassVar[int]
    POWER: ClassVar[int]
    SIGMOID_CROSS_ENTROPY_LOSS: ClassVar[int]
    HINGE_LOSS: ClassVar[int]
    MEMORY_DATA: ClassVar[int]
    ARGMAX: ClassVar[int]
    THRESHOLD: ClassVar[int]
    DUMMY_DATA: ClassVar[int]
    SLICE: ClassVar[int]
    MVN: ClassVar[int]
    ABSVAL: ClassVar[int]
    SILENCE: ClassVar[int]
    CONTRASTIVE_LOSS: ClassVar[int]
    EXP: ClassVar[int]
    DECONVOLUTION: ClassVar[int]
    NAME_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    BOTTOM_FIELD_NUMBER: ClassVar[int]
    TOP_FIELD_NUMBER: ClassVar[int]
    INCLUDE_FIELD_NUMBER: ClassVar[int]
    EXCLUDE_FIELD_NUMBER: ClassVar[int]
    LOSS_WEIGHT_FIELD_NUMBER: ClassVar[int]
    BLOBS_FIELD_NUMBER: ClassVar[int]
    BLOBS_LR_FIELD_NUMBER: ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: ClassVar[int]
    PARAM_FIELD_NUMBER: ClassVar[int]
    BLOB_SHARE_MODE_FIELD_NUMBER: ClassVar[int]
    TRANSFORM_PARAM_FIELD_NUMBER: ClassVar[int]
    LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    ARGMAX_PARAM_FIELD_NUMBER: ClassVar[int]
    CONCAT_PARAM_FIELD_NUMBER: ClassVar[int]
    CONTRASTIVE_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    CONVOLUTION_PARAM_FIELD_NUMBER: ClassVar[int]
    DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    DROPOUT_PARAM_FIELD_NUMBER: ClassVar[int]
    DUMMY_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    ELTWISE_PARAM_FIELD_NUMBER: ClassVar[int]
    EXP_PARAM_FIELD_NUMBER: ClassVar[int]
    HDF5_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    HDF5_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    HINGE_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    IMAGE_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    INFOGAIN_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    INNER_PRODUCT_PARAM_FIELD_NUMBER: ClassVar[int]
    LRN_PARAM_FIELD_NUMBER: ClassVar[int]
    MEMORY_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    MVN_PARAM_FIELD_NUMBER: ClassVar[int]
    POOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    POWER_PARAM_FIELD_NUMBER: ClassVar[int]
    RELU_PARAM_FIELD_NUMBER: ClassVar[int]
    SIGMOID_PARAM_FIELD_NUMBER: ClassVar[int]
    SLICE_PARAM_FIELD_NUMBER: ClassVar[int]
    SOFTMAX_PARAM_FIELD_NUMBER: ClassVar[int]
    TANH_PARAM_FIELD_NUMBER: ClassVar[int]
    THRESHOLD_PARAM_FIELD_NUMBER: ClassVar[int]
    WINDOW_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    LAYER_FIELD_NUMBER: ClassVar[int]
    name: str
    type: int
    bottom: RepeatedScalarFieldContainer[str]
    top: RepeatedScalarFieldContainer[str]
    include: RepeatedCompositeFieldContainer[NetStateRule]
    exclude: RepeatedCompositeFieldContainer[NetStateRule]
    loss_weight: RepeatedScalarFieldContainer[float]
    blobs: RepeatedCompositeFieldContainer[BlobProto]
    blobs_lr: RepeatedScalarFieldContainer[float]
    weight_decay: RepeatedScalarFieldContainer[float]
    param: RepeatedScalarFieldContainer[str]
    blob_share_mode: RepeatedScalarFieldContainer[int]
    @property
    def transform_param(self) -> TransformationParameter: ...
    @property
    def loss_param(self) -> LossParameter: ...
    @property
    def accuracy_param(self) -> AccuracyParameter: ...
    @property
    def argmax_param(self) -> ArgMaxParameter: ...
    @property
    def concat_param(self) -> ConcatParameter: ...
    @property
    def contrastive_loss_param(self) -> ContrastiveLossParameter: ...
    @property
    def convolution_param(self) -> ConvolutionParameter: ...
    @property
    def data_param(self) -> DataParameter: ...
    @property
    def dropout_param(self) -> DropoutParameter: ...
    @property
    def dummy_data_param(self) -> DummyDataParameter: ...
    @property
    def eltwise_param(self) -> EltwiseParameter: ...
    @property
    def exp_param(self) -> ExpParameter: ...
    @property
    def hdf5_data_param(self) -> HDF5DataParameter: ...
    @property
    def hdf5_output_param(self) -> HDF5OutputParameter: ...
    @property
    def hinge_loss_param(self) -> HingeLossParameter: ...
    @property
    def image_data_param(self) -> ImageDataParameter: ...
    @property
    def infogain_loss_param(self) -> InfogainLossParameter: ...
    @property
    def inner_product_param(self) -> InnerProductParameter: ...
    @property
    def lrn_param(self) -> LRNParameter: ...
    @property
    def memory_data_param(self) -> MemoryDataParameter: ...
    @property
    def mvn_param(self) -> MVNParameter: ...
    @property
    def pooling_param(self) -> PoolingParameter: ...
    @property
    def power_param(self) -> PowerParameter: ...
    @property
    def relu_param(self) -> ReLUParameter: ...
    @property
    def sigmoid_param(self) -> SigmoidParameter: ...
    @property
    def slice_param(self) -> SliceParameter: ...
    @property
    def softmax_param(self) -> SoftmaxParameter: ...
    @property
    def tanh_param(self) -> TanHParameter: ...
    @property
    def threshold_param(self) -> ThresholdParameter: ...
    @property
    def window_data_param(self) -> WindowDataParameter: ...
    @property
    def layer(self) -> V0LayerParameter: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        type: int | str | None = ...,
        bottom: Iterable[str] | None = ...,
        top: Iterable[str] | None = ...,
        include: Iterable[NetStateRule | Mapping[str, Any]] | None = ...,
        exclude: Iterable[NetStateRule | Mapping[str, Any]] | None = ...,
        loss_weight: Iterable[float] | None = ...,
        blobs: Iterable[BlobProto | Mapping[str, Any]] | None = ...,
        blobs_lr: Iterable[float] | None = ...,
        weight_decay: Iterable[float] | None = ...,
        param: Iterable[str] | None = ...,
        blob_share_mode: Iterable[int | str] | None = ...,
        transform_param: TransformationParameter | Mapping[str, Any] | None = ...,
        loss_param: LossParameter | Mapping[str, Any] | None = ...,
        accuracy_param: AccuracyParameter | Mapping[str, Any] | None = ...,
        argmax_param: ArgMaxParameter | Mapping[str, Any] | None = ...,
        concat_param: ConcatParameter | Mapping[str, Any] | None = ...,
        contrastive_loss_param: ContrastiveLossParameter | Mapping[str, Any] | None = ...,
        convolution_param: ConvolutionParameter | Mapping[str, Any] | None = ...,
        data_param: DataParameter | Mapping[str, Any] | None = ...,
        dropout_param: DropoutParameter | Mapping[str, Any] | None = ...,
        dummy_data_param: DummyDataParameter | Mapping[str, Any] | None = ...,
        eltwise_param: EltwiseParameter | Mapping[str, Any] | None = ...,
        exp_param: ExpParameter | Mapping[str, Any] | None = ...,
        hdf5_data_param: HDF5DataParameter | Mapping[str, Any] | None = ...,
        hdf5_output_param: HDF5OutputParameter | Mapping[str, Any] | None = ...,
        hinge_loss_param: HingeLossParameter | Mapping[str, Any] | None = ...,
        image_data_param: ImageDataParameter | Mapping[str, Any] | None = ...,
        infogain_loss_param: InfogainLossParameter | Mapping[str, Any] | None = ...,
        inner_product_param: InnerProductParameter | Mapping[str, Any] | None = ...,
        lrn_param: LRNParameter | Mapping[str, Any] | None = ...,
        memory_data_param: MemoryDataParameter | Mapping[str, Any] | None = ...,
        mvn_param: MVNParameter | Mapping[str, Any] | None = ...,
        pooling_param: PoolingParameter | Mapping[str, Any] | None = ...,
        power_param: PowerParameter | Mapping[str, Any] | None = ...,
        relu_param: ReLUParameter | Mapping[str, Any] | None = ...,
        sigmoid_param: SigmoidParameter | Mapping[str, Any] | None = ...,
        slice_param: SliceParameter | Mapping[str, Any] | None = ...,
        softmax_param: SoftmaxParameter | Mapping[str, Any] | None = ...,
        tanh_param: TanHParameter | Mapping[str, Any] | None = ...,
        threshold_param: ThresholdParameter | Mapping[str, Any] | None = ...,
        window_data_param: WindowDataParameter | Mapping[str, Any] | None = ...,
        layer: V0LayerParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class V0LayerParameter(Message):
    class PoolMethod(int, metaclass=EnumTypeWrapper):
        MAX: ClassVar[int]
        AVE: ClassVar[int]
        STOCHASTIC: ClassVar[int]
    MAX: ClassVar[int]
    AVE: ClassVar[int]
    STOCHASTIC: ClassVar[int]
    NAME_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    BIASTERM_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    BLOBS_FIELD_NUMBER: ClassVar[int]
    BLOBS_LR_FIELD_NUMBER: ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: ClassVar[int]
    PAD_FIELD_NUMBER: ClassVar[int]
    KERNELSIZE_FIELD_NUMBER: ClassVar[int]
    GROUP_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    POOL_FIELD_NUMBER: ClassVar[int]
    LOCAL_SIZE_FIELD_NUMBER: ClassVar[int]
    ALPHA_FIELD_NUMBER: ClassVar[int]
    BETA_FIELD_NUMBER: ClassVar[int]
    K_FIELD_NUMBER: ClassVar[int]
    DROPOUT_RATIO_FIELD_NUMBER: ClassVar[int]
    CONCAT_DIM_FIELD_NUMBER: ClassVar[int]
    NEW_NUM_FIELD_NUMBER: ClassVar[int]
    NEW_CHANNELS_FIELD_NUMBER: ClassVar[int]
    NEW_HEIGHT_FIELD_NUMBER: ClassVar[int]
    NEW_WIDTH_FIELD_NUMBER: ClassVar[int]
    SOURCE_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    MEANFILE_FIELD_NUMBER: ClassVar[int]
    BATCHSIZE_FIELD_NUMBER: ClassVar[int]
    CROPSIZE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    RAND_SKIP_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_IMAGES_FIELD_NUMBER: ClassVar[int]
    DET_FG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    DET_BG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    DET_FG_FRACTION_FIELD_NUMBER: ClassVar[int]
    DET_CONTEXT_PAD_FIELD_NUMBER: ClassVar[int]
    DET_CROP_MODE_FIELD_NUMBER: ClassVar[int]
    HDF5_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    name: str
    type: str
    num_output: int
    biasterm: bool
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    blobs: RepeatedCompositeFieldContainer[BlobProto]
    blobs_lr: RepeatedScalarFieldContainer[float]
    weight_decay: RepeatedScalarFieldContainer[float]
    pad: int
    kernelsize: int
    group: int
    stride: int
    pool: int
    local_size: int
    alpha: float
    beta: float
    k: float
    dropout_ratio: float
    concat_dim: int
    new_num: int
    new_channels: int
    new_height: int
    new_width: int
    source: str
    scale: float
    meanfile: str
    batchsize: int
    cropsize: int
    mirror: bool
    rand_skip: int
    shuffle_images: bool
    det_fg_threshold: float
    det_bg_threshold: float
    det_fg_fraction: float
    det_context_pad: int
    det_crop_mode: str
    @property
    def hdf5_output_param(self) -> HDF5OutputParameter: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        type: str | None = ...,
        num_output: int | None = ...,
        biasterm: bool | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        blobs: Iterable[BlobProto | Mapping[str, Any]] | None = ...,
        blobs_lr: Iterable[float] | None = ...,
        weight_decay: Iterable[float] | None = ...,
        pad: int | None = ...,
        kernelsize: int | None = ...,
        group: int | None = ...,
        stride: int | None = ...,
        pool: int | str | None = ...,
        local_size: int | None = ...,
        alpha: float | None = ...,
        beta: float | None = ...,
        k: float | None = ...,
        dropout_ratio: float | None = ...,
        concat_dim: int | None = ...,
        new_num: int | None = ...,
        new_channels: int | None = ...,
        new_height: int | None = ...,
        new_width: int | None = ...,
        source: str | None = ...,
        scale: float | None = ...,
        meanfile: str | None = ...,
        batchsize: int | None = ...,
        cropsize: int | None = ...,
        mirror: bool | None = ...,
        rand_skip: int | None = ...,
        shuffle_images: bool | None = ...,
        det_fg_threshold: float | None = ...,
        det_bg_threshold: float | None = ...,
        det_fg_fraction: float | None = ...,
        det_context_pad: int | None = ...,
        det_crop_mode: str | None = ...,
        hdf5_output_param: HDF5OutputParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...
