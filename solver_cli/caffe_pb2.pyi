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
    RAW_DATA_TYPE_FIELD_NUMBER: ClassVar[int]
    RAW_DIFF_TYPE_FIELD_NUMBER: ClassVar[int]
    RAW_DATA_FIELD_NUMBER: ClassVar[int]
    RAW_DIFF_FIELD_NUMBER: ClassVar[int]
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
    raw_data_type: int
    raw_diff_type: int
    raw_data: bytes
    raw_diff: bytes
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
        raw_data_type: int | str | None = ...,
        raw_diff_type: int | str | None = ...,
        raw_data: bytes | None = ...,
        raw_diff: bytes | None = ...,
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
    SEG_LABEL_FIELD_NUMBER: ClassVar[int]
    channels: int
    height: int
    width: int
    data: bytes
    label: int
    float_data: RepeatedScalarFieldContainer[float]
    encoded: bool
    seg_label: bytes
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
        seg_label: bytes | None = ...,
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
    SCALE_FIELD_NUMBER: ClassVar[int]
    ALPHA_FIELD_NUMBER: ClassVar[int]
    DIAG_VAL_FIELD_NUMBER: ClassVar[int]
    type: str
    value: float
    min: float
    max: float
    mean: float
    std: float
    sparse: int
    variance_norm: int
    scale: float
    alpha: float
    diag_val: RepeatedScalarFieldContainer[float]
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
        scale: float | None = ...,
        alpha: float | None = ...,
        diag_val: Iterable[float] | None = ...,
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
        SAG: ClassVar[int]
    SGD: ClassVar[int]
    NESTEROV: ClassVar[int]
    ADAGRAD: ClassVar[int]
    RMSPROP: ClassVar[int]
    ADADELTA: ClassVar[int]
    ADAM: ClassVar[int]
    SAG: ClassVar[int]
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
    EVAL_TYPE_FIELD_NUMBER: ClassVar[int]
    AP_VERSION_FIELD_NUMBER: ClassVar[int]
    SHOW_PER_CLASS_RESULT_FIELD_NUMBER: ClassVar[int]
    PLATEAU_WINSIZE_FIELD_NUMBER: ClassVar[int]
    RAMPUP_INTERVAL_FIELD_NUMBER: ClassVar[int]
    RAMPUP_LR_FIELD_NUMBER: ClassVar[int]
    MOMENTUM_POLICY_FIELD_NUMBER: ClassVar[int]
    MAX_MOMENTUM_FIELD_NUMBER: ClassVar[int]
    MOMENTUM_POWER_FIELD_NUMBER: ClassVar[int]
    LARC_FIELD_NUMBER: ClassVar[int]
    LARC_POLICY_FIELD_NUMBER: ClassVar[int]
    LARC_ETA_FIELD_NUMBER: ClassVar[int]
    LARC_TURBO_FIELD_NUMBER: ClassVar[int]
    WEIGHT_DECAY_POLICY_FIELD_NUMBER: ClassVar[int]
    WEIGHT_DECAY_POWER_FIELD_NUMBER: ClassVar[int]
    MAX_WEIGHT_DECAY_FIELD_NUMBER: ClassVar[int]
    SOLVER_DATA_TYPE_FIELD_NUMBER: ClassVar[int]
    STORE_BLOBS_IN_OLD_FORMAT_FIELD_NUMBER: ClassVar[int]
    TEST_AND_SNAPSHOT_LAST_EPOCHS_FIELD_NUMBER: ClassVar[int]
    PER_PARAMETER_REDUCE_FIELD_NUMBER: ClassVar[int]
    MIN_LR_FIELD_NUMBER: ClassVar[int]
    STAGELR_FIELD_NUMBER: ClassVar[int]
    STAGEITER_FIELD_NUMBER: ClassVar[int]
    DISABLED_UPDATE_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    LOCAL_LR_AUTO_FIELD_NUMBER: ClassVar[int]
    LOCAL_GW_RATIO_FIELD_NUMBER: ClassVar[int]
    TEST_OFFSET_FIELD_NUMBER: ClassVar[int]
    WARMUP_ITER_FIELD_NUMBER: ClassVar[int]
    WARMUP_START_LR_FIELD_NUMBER: ClassVar[int]
    GROUP_ID_FIELD_NUMBER: ClassVar[int]
    RICHNESS_FIELD_NUMBER: ClassVar[int]
    CLAMP_WEIGHTS_LOWER_FIELD_NUMBER: ClassVar[int]
    CLAMP_WEIGHTS_UPPER_FIELD_NUMBER: ClassVar[int]
    CLIP_WEIGHTS_FIELD_NUMBER: ClassVar[int]
    LR_DROPOUT_FIELD_NUMBER: ClassVar[int]
    DECOUPLED_WD_T0_FIELD_NUMBER: ClassVar[int]
    DECOUPLED_WD_MULT_FIELD_NUMBER: ClassVar[int]
    AMSGRAD_FIELD_NUMBER: ClassVar[int]
    RECTIFIED_FIELD_NUMBER: ClassVar[int]
    GC_FIELD_NUMBER: ClassVar[int]
    ADABELIEF_FIELD_NUMBER: ClassVar[int]
    LR_MULT_FIELD_NUMBER: ClassVar[int]
    P_MULT_FIELD_NUMBER: ClassVar[int]
    PERIOD_FIELD_NUMBER: ClassVar[int]
    LOOKAHEAD_FIELD_NUMBER: ClassVar[int]
    LOOKAHEAD_STEPS_FIELD_NUMBER: ClassVar[int]
    LOOKAHEAD_ALPHA_FIELD_NUMBER: ClassVar[int]
    LOG_AVG_GRADIENT_NORM_FIELD_NUMBER: ClassVar[int]
    TEST_BEFORE_SNAPSHOT_FIELD_NUMBER: ClassVar[int]
    DEVICE_IDS_FIELD_NUMBER: ClassVar[int]
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
    eval_type: str
    ap_version: str
    show_per_class_result: bool
    plateau_winsize: RepeatedScalarFieldContainer[int]
    rampup_interval: int
    rampup_lr: float
    momentum_policy: str
    max_momentum: float
    momentum_power: float
    larc: bool
    larc_policy: str
    larc_eta: float
    larc_turbo: bool
    weight_decay_policy: str
    weight_decay_power: float
    max_weight_decay: float
    solver_data_type: int
    store_blobs_in_old_format: bool
    test_and_snapshot_last_epochs: int
    per_parameter_reduce: bool
    min_lr: float
    stagelr: RepeatedScalarFieldContainer[float]
    stageiter: RepeatedScalarFieldContainer[int]
    disabled_update: bool
    engine: str
    local_lr_auto: bool
    local_gw_ratio: float
    test_offset: int
    warmup_iter: int
    warmup_start_lr: float
    group_id: RepeatedScalarFieldContainer[int]
    richness: int
    clamp_weights_lower: float
    clamp_weights_upper: float
    clip_weights: float
    lr_dropout: float
    decoupled_wd_t0: int
    decoupled_wd_mult: float
    amsgrad: bool
    rectified: bool
    gc: bool
    adabelief: bool
    lr_mult: float
    p_mult: float
    period: int
    lookahead: bool
    lookahead_steps: int
    lookahead_alpha: float
    log_avg_gradient_norm: bool
    test_before_snapshot: bool
    device_ids: RepeatedScalarFieldContainer[int]
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
        eval_type: str | None = ...,
        ap_version: str | None = ...,
        show_per_class_result: bool | None = ...,
        plateau_winsize: Iterable[int] | None = ...,
        rampup_interval: int | None = ...,
        rampup_lr: float | None = ...,
        momentum_policy: str | None = ...,
        max_momentum: float | None = ...,
        momentum_power: float | None = ...,
        larc: bool | None = ...,
        larc_policy: str | None = ...,
        larc_eta: float | None = ...,
        larc_turbo: bool | None = ...,
        weight_decay_policy: str | None = ...,
        weight_decay_power: float | None = ...,
        max_weight_decay: float | None = ...,
        solver_data_type: int | str | None = ...,
        store_blobs_in_old_format: bool | None = ...,
        test_and_snapshot_last_epochs: int | None = ...,
        per_parameter_reduce: bool | None = ...,
        min_lr: float | None = ...,
        stagelr: Iterable[float] | None = ...,
        stageiter: Iterable[int] | None = ...,
        disabled_update: bool | None = ...,
        engine: str | None = ...,
        local_lr_auto: bool | None = ...,
        local_gw_ratio: float | None = ...,
        test_offset: int | None = ...,
        warmup_iter: int | None = ...,
        warmup_start_lr: float | None = ...,
        group_id: Iterable[int] | None = ...,
        richness: int | None = ...,
        clamp_weights_lower: float | None = ...,
        clamp_weights_upper: float | None = ...,
        clip_weights: float | None = ...,
        lr_dropout: float | None = ...,
        decoupled_wd_t0: int | None = ...,
        decoupled_wd_mult: float | None = ...,
        amsgrad: bool | None = ...,
        rectified: bool | None = ...,
        gc: bool | None = ...,
        adabelief: bool | None = ...,
        lr_mult: float | None = ...,
        p_mult: float | None = ...,
        period: int | None = ...,
        lookahead: bool | None = ...,
        lookahead_steps: int | None = ...,
        lookahead_alpha: float | None = ...,
        log_avg_gradient_norm: bool | None = ...,
        test_before_snapshot: bool | None = ...,
        device_ids: Iterable[int] | None = ...,
    ) -> None: ...

class SolverState(Message):
    ITER_FIELD_NUMBER: ClassVar[int]
    LEARNED_NET_FIELD_NUMBER: ClassVar[int]
    HISTORY_FIELD_NUMBER: ClassVar[int]
    CURRENT_STEP_FIELD_NUMBER: ClassVar[int]
    MINIMUM_LOSS_FIELD_NUMBER: ClassVar[int]
    ITER_LAST_EVENT_FIELD_NUMBER: ClassVar[int]
    iter: int
    learned_net: str
    history: RepeatedCompositeFieldContainer[BlobProto]
    current_step: int
    minimum_loss: float
    iter_last_event: int
    def __init__(
        self,
        *,
        iter: int | None = ...,
        learned_net: str | None = ...,
        history: Iterable[BlobProto | Mapping[str, Any]] | None = ...,
        current_step: int | None = ...,
        minimum_loss: float | None = ...,
        iter_last_event: int | None = ...,
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
    DEFAULT_CONV_ALGOS_OVERRIDE_FIELD_NUMBER: ClassVar[int]
    REDUCE_BUCKETS_FIELD_NUMBER: ClassVar[int]
    ELTWISE_MEM_SHARING_FIELD_NUMBER: ClassVar[int]
    COMPILE_NET_STATE_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    BN_STATS_BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    MULTINODE_FIELD_NUMBER: ClassVar[int]
    MEM_PARAM_FIELD_NUMBER: ClassVar[int]
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
    default_conv_algos_override: str
    reduce_buckets: int
    eltwise_mem_sharing: bool
    @property
    def compile_net_state(self) -> CompileNetState: ...
    engine: str
    bn_stats_batch_size: int
    @property
    def multinode(self) -> MultinodeParameter: ...
    @property
    def mem_param(self) -> MemoryOptimizationParameter: ...
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
        default_conv_algos_override: str | None = ...,
        reduce_buckets: int | None = ...,
        eltwise_mem_sharing: bool | None = ...,
        compile_net_state: CompileNetState | Mapping[str, Any] | None = ...,
        engine: str | None = ...,
        bn_stats_batch_size: int | None = ...,
        multinode: MultinodeParameter | Mapping[str, Any] | None = ...,
        mem_param: MemoryOptimizationParameter | Mapping[str, Any] | None = ...,
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
    ANNOTATED_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTION_EVALUATE_PARAM_FIELD_NUMBER: ClassVar[int]
    MULTIBOX_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    PRIOR_BOX_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTION_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    NORM_PARAM_FIELD_NUMBER: ClassVar[int]
    PERMUTE_PARAM_FIELD_NUMBER: ClassVar[int]
    VIDEO_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    DEBUG_FIELD_NUMBER: ClassVar[int]
    TRT_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTNET_GROUNDTRUTH_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTNET_AUGMENTATION_PARAM_FIELD_NUMBER: ClassVar[int]
    BOX_ANNOTATOR_OHEM_PARAM_FIELD_NUMBER: ClassVar[int]
    PSROI_POOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    ROI_POOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    SMOOTH_L1_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    SPLIT_PARAM_FIELD_NUMBER: ClassVar[int]
    SPATIAL_DROPOUT_PARAM_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    MULTINODE_FIELD_NUMBER: ClassVar[int]
    MN_ACTIVATION_PARAM_FIELD_NUMBER: ClassVar[int]
    MN_GRAD_COMPRESS_PARAM_FIELD_NUMBER: ClassVar[int]
    QUANTIZATION_PARAM_FIELD_NUMBER: ClassVar[int]
    EVAL_DETECTION_PARAM_FIELD_NUMBER: ClassVar[int]
    REORG_PARAM_FIELD_NUMBER: ClassVar[int]
    REGION_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    ROI_WARPING_PARAM_FIELD_NUMBER: ClassVar[int]
    MASK_RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    BN_PARAM_FIELD_NUMBER: ClassVar[int]
    DENSE_IMAGE_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    UPSAMPLE_PARAM_FIELD_NUMBER: ClassVar[int]
    ADAPTIVE_BIAS_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    BIAS_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    DOMAIN_TRANSFORM_PARAM_FIELD_NUMBER: ClassVar[int]
    MAT_READ_PARAM_FIELD_NUMBER: ClassVar[int]
    MAT_WRITE_PARAM_FIELD_NUMBER: ClassVar[int]
    UNIQUE_LABEL_PARAM_FIELD_NUMBER: ClassVar[int]
    DENSE_CRF_PARAM_FIELD_NUMBER: ClassVar[int]
    SEG_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    INTERP_PARAM_FIELD_NUMBER: ClassVar[int]
    SEG_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    BATCH_REDUCTION_PARAM_FIELD_NUMBER: ClassVar[int]
    COLOR_CONV_PARAM_FIELD_NUMBER: ClassVar[int]
    CENTER_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    MARGIN_INNER_PRODUCT_PARAM_FIELD_NUMBER: ClassVar[int]
    LOCAL_PARAM_FIELD_NUMBER: ClassVar[int]
    INSANITY_PARAM_FIELD_NUMBER: ClassVar[int]
    TRIPLET_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    ELTWISE_AFFINE_PARAM_FIELD_NUMBER: ClassVar[int]
    SUB_REGION_PARAM_FIELD_NUMBER: ClassVar[int]
    NOISE_PARAM_FIELD_NUMBER: ClassVar[int]
    HOTSPOT_PARAM_FIELD_NUMBER: ClassVar[int]
    PREDICT_BOX_PARAM_FIELD_NUMBER: ClassVar[int]
    FCN_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    FLIP_PARAM_FIELD_NUMBER: ClassVar[int]
    INNER_DISTANCE_PARAM_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    GENERAL_CONTRASTIVE_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    SOFT_CONTRASTIVE_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    GENERAL_TRIPLET_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    SOFT_TRUNCATION_PARAM_FIELD_NUMBER: ClassVar[int]
    PROPOSAL_PARAM_FIELD_NUMBER: ClassVar[int]
    PAIRWISE_PARAM_FIELD_NUMBER: ClassVar[int]
    SMOOTHL1_PARAM_FIELD_NUMBER: ClassVar[int]
    BATCH_CONTRASTIVE_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    TRUNCATION_PARAM_FIELD_NUMBER: ClassVar[int]
    NCA_PARAM_FIELD_NUMBER: ClassVar[int]
    LABEL_SPECIFIC_RESCALE_PARAM_FIELD_NUMBER: ClassVar[int]
    INFIMUM_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    ORDINAL_REGRESSION_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    FEATURE_DECAY_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    CONFIDENCE_PENALTY_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    LABEL_SPECIFIC_MARGIN_PARAM_FIELD_NUMBER: ClassVar[int]
    CHANNEL_SCALE_PARAM_FIELD_NUMBER: ClassVar[int]
    LABEL_SPECIFIC_AFFINE_PARAM_FIELD_NUMBER: ClassVar[int]
    LABEL_SPECIFIC_HARD_MARGIN_PARAM_FIELD_NUMBER: ClassVar[int]
    LABEL_SPECIFIC_ADD_PARAM_FIELD_NUMBER: ClassVar[int]
    MIL_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    MIL_PARAM_FIELD_NUMBER: ClassVar[int]
    LARGEMARGIN_INNER_PRODUCT_PARAM_FIELD_NUMBER: ClassVar[int]
    FOCAL_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    DICE_COEF_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    SELU_PARAM_FIELD_NUMBER: ClassVar[int]
    SELU_DROPOUT_PARAM_FIELD_NUMBER: ClassVar[int]
    CTC_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    CONTINUATION_INDICATOR_PARAM_FIELD_NUMBER: ClassVar[int]
    LABELSEQUENCE_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    REVERSE_PARAM_FIELD_NUMBER: ClassVar[int]
    YOLOV3_PARAM_FIELD_NUMBER: ClassVar[int]
    YOLO_SEG_PARAM_FIELD_NUMBER: ClassVar[int]
    SEGMENTATION_EVALUATE_PARAM_FIELD_NUMBER: ClassVar[int]
    YOLO_DETECTION_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    YOLOV3_DETECTION_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    RELU6_PARAM_FIELD_NUMBER: ClassVar[int]
    REGION_PARAM_FIELD_NUMBER: ClassVar[int]
    LSTM_PARAM_FIELD_NUMBER: ClassVar[int]
    DEFORMABLE_CONVOLUTION_PARAM_FIELD_NUMBER: ClassVar[int]
    RELUX_PARAM_FIELD_NUMBER: ClassVar[int]
    ROI_MASK_POOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    DEFORMABLE_PSROI_POOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    INNER_PRODUCT_BLOB_PARAM_FIELD_NUMBER: ClassVar[int]
    ROI_ALIGN_PARAM_FIELD_NUMBER: ClassVar[int]
    FRCNN_ANCHOR_TARGET_PARAM_FIELD_NUMBER: ClassVar[int]
    FRCNN_PROPOSAL_PARAM_FIELD_NUMBER: ClassVar[int]
    FRCNN_PROPOSAL_TARGET_PARAM_FIELD_NUMBER: ClassVar[int]
    ROI_MASK_ALIGN_PARAM_FIELD_NUMBER: ClassVar[int]
    BOXES_OBJ_PARAM_FIELD_NUMBER: ClassVar[int]
    UNPOOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    CPM_TRANSFORM_PARAM_FIELD_NUMBER: ClassVar[int]
    COEFF_SCHEDULE_PARAM_FIELD_NUMBER: ClassVar[int]
    AUGMENTATION_PARAM_FIELD_NUMBER: ClassVar[int]
    CORRELATION_PARAM_FIELD_NUMBER: ClassVar[int]
    L1_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    WRITER_PARAM_FIELD_NUMBER: ClassVar[int]
    READER_PARAM_FIELD_NUMBER: ClassVar[int]
    MEAN_PARAM_FIELD_NUMBER: ClassVar[int]
    RESAMPLE_PARAM_FIELD_NUMBER: ClassVar[int]
    DOWNSAMPLE_PARAM_FIELD_NUMBER: ClassVar[int]
    LPQ_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    FLOW_WARP_PARAM_FIELD_NUMBER: ClassVar[int]
    ACCUM_PARAM_FIELD_NUMBER: ClassVar[int]
    BLACK_AUGMENTATION_PARAM_FIELD_NUMBER: ClassVar[int]
    RESHAPE_EVERY_ITER_FIELD_NUMBER: ClassVar[int]
    DETECTION_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTION_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    BOX_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    IMAGE_GT_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    PROPOSAL_TARGET_PARAM_FIELD_NUMBER: ClassVar[int]
    BBOX_REG_PARAM_FIELD_NUMBER: ClassVar[int]
    DECODE_BBOX_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTION_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    EVAL_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    HARD_MINING_PARAM_FIELD_NUMBER: ClassVar[int]
    SCALE_ROUTE_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTION_GROUP_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    DETECTION_GROUP_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    BOX_GROUP_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    FRCNN_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    PARSE_EVALUATE_PARAM_FIELD_NUMBER: ClassVar[int]
    DENSEBLOCK_PARAM_FIELD_NUMBER: ClassVar[int]
    CTC_DECODER_PARAM_FIELD_NUMBER: ClassVar[int]
    REVERSE_TIME_PARAM_FIELD_NUMBER: ClassVar[int]
    TRANSPOSE_PARAM_FIELD_NUMBER: ClassVar[int]
    FILTER_PARAM_FIELD_NUMBER: ClassVar[int]
    STRICT_DIM_FIELD_NUMBER: ClassVar[int]
    CENSOR_LABEL_PARAM_FIELD_NUMBER: ClassVar[int]
    CHANNEL_AGGREGATOR_PARAM_FIELD_NUMBER: ClassVar[int]
    DOMINANT_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    EUCLIDEAN_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    GAIN_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    HISTOGRAM_PARAM_FIELD_NUMBER: ClassVar[int]
    IGNORE_OVERLAY_PARAM_FIELD_NUMBER: ClassVar[int]
    ONEHOT_PARAM_FIELD_NUMBER: ClassVar[int]
    PADDING_PARAM_FIELD_NUMBER: ClassVar[int]
    SOFTMAXLOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    BINARY_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    ELTWISE_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    RED_SOFTMAX_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    RED_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    SELECT_SEG_BINARY_PARAM_FIELD_NUMBER: ClassVar[int]
    WINDOW_CLS_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    GROUP_NORM_PARAM_FIELD_NUMBER: ClassVar[int]
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
    @property
    def annotated_data_param(self) -> AnnotatedDataParameter: ...
    @property
    def detection_evaluate_param(self) -> DetectionEvaluateParameter: ...
    @property
    def multibox_loss_param(self) -> MultiBoxLossParameter: ...
    @property
    def prior_box_param(self) -> PriorBoxParameter: ...
    @property
    def detection_output_param(self) -> DetectionOutputParameter: ...
    @property
    def norm_param(self) -> NormalizeParameter: ...
    @property
    def permute_param(self) -> PermuteParameter: ...
    @property
    def video_data_param(self) -> VideoDataParameter: ...
    debug: bool
    @property
    def trt_param(self) -> TRTParameter: ...
    @property
    def detectnet_groundtruth_param(self) -> DetectNetGroundTruthParameter: ...
    @property
    def detectnet_augmentation_param(self) -> DetectNetAugmentationParameter: ...
    @property
    def box_annotator_ohem_param(self) -> BoxAnnotatorOHEMParameter: ...
    @property
    def psroi_pooling_param(self) -> PSROIPoolingParameter: ...
    @property
    def roi_pooling_param(self) -> ROIPoolingParameter: ...
    @property
    def smooth_l1_loss_param(self) -> SmoothL1LossParameter: ...
    @property
    def split_param(self) -> SplitParameter: ...
    @property
    def spatial_dropout_param(self) -> SpatialDropoutParameter: ...
    engine: str
    @property
    def multinode(self) -> MultinodeLayerParameter: ...
    @property
    def mn_activation_param(self) -> MnActivationParameter: ...
    @property
    def mn_grad_compress_param(self) -> MnParamGradCompressParameter: ...
    @property
    def quantization_param(self) -> QuantizationParameter: ...
    @property
    def eval_detection_param(self) -> EvalDetectionParameter: ...
    @property
    def reorg_param(self) -> ReorgParameter: ...
    @property
    def region_loss_param(self) -> RegionLossParameter: ...
    @property
    def roi_warping_param(self) -> ROIWarpingParameter: ...
    @property
    def mask_resize_param(self) -> MaskResizeParameter: ...
    @property
    def bn_param(self) -> BNParameter: ...
    @property
    def dense_image_data_param(self) -> DenseImageDataParameter: ...
    @property
    def upsample_param(self) -> UpsampleParameter: ...
    @property
    def adaptive_bias_channel_param(self) -> AdaptiveBiasChannelParameter: ...
    @property
    def bias_channel_param(self) -> BiasChannelParameter: ...
    @property
    def domain_transform_param(self) -> DomainTransformParameter: ...
    @property
    def mat_read_param(self) -> MatReadParameter: ...
    @property
    def mat_write_param(self) -> MatWriteParameter: ...
    @property
    def unique_label_param(self) -> UniqueLabelParameter: ...
    @property
    def dense_crf_param(self) -> DenseCRFParameter: ...
    @property
    def seg_accuracy_param(self) -> SegAccuracyParameter: ...
    @property
    def interp_param(self) -> InterpParameter: ...
    @property
    def seg_data_param(self) -> SegDataParameter: ...
    @property
    def batch_reduction_param(self) -> BatchReductionParameter: ...
    @property
    def color_conv_param(self) -> ColorConvParameter: ...
    @property
    def center_loss_param(self) -> CenterLossParameter: ...
    @property
    def margin_inner_product_param(self) -> MarginInnerProductParameter: ...
    @property
    def local_param(self) -> LocalParameter: ...
    @property
    def insanity_param(self) -> InsanityParameter: ...
    @property
    def triplet_loss_param(self) -> TripletLossParameter: ...
    @property
    def eltwise_affine_param(self) -> EltwiseAffineParameter: ...
    @property
    def sub_region_param(self) -> SubRegionParameter: ...
    @property
    def noise_param(self) -> NormFaceNoiseParameter: ...
    @property
    def hotspot_param(self) -> HotspotParameter: ...
    @property
    def predict_box_param(self) -> PredictBoxParameter: ...
    @property
    def fcn_data_param(self) -> FCNDataParameter: ...
    @property
    def flip_param(self) -> FlipParameter: ...
    @property
    def inner_distance_param(self) -> InnerDistanceParameter: ...
    @property
    def normalize_param(self) -> NormFaceNormalizeParameter: ...
    @property
    def general_contrastive_loss_param(self) -> GeneralContrastiveParameter: ...
    @property
    def soft_contrastive_loss_param(self) -> SoftContrastiveParameter: ...
    @property
    def general_triplet_loss_param(self) -> GeneralTripletParameter: ...
    @property
    def soft_truncation_param(self) -> SoftTruncationParameter: ...
    @property
    def proposal_param(self) -> ProposalParameter: ...
    @property
    def pairwise_param(self) -> PairwiseParameter: ...
    @property
    def smoothl1_param(self) -> SmoothL1Parameter: ...
    @property
    def batch_contrastive_loss_param(self) -> BatchContrastiveParameter: ...
    @property
    def truncation_param(self) -> TruncationParameter: ...
    @property
    def nca_param(self) -> NCAParameter: ...
    @property
    def label_specific_rescale_param(self) -> LabelSpecificRescaleParameter: ...
    @property
    def infimum_loss_param(self) -> InfimumLossParamter: ...
    @property
    def ordinal_regression_loss_param(self) -> OrdinalRegressionParameter: ...
    @property
    def resize_param(self) -> NormFaceResizeParameter: ...
    @property
    def feature_decay_loss_param(self) -> FeatureDecayLossParameter: ...
    @property
    def confidence_penalty_loss_param(self) -> ConfidencePenaltyLossParameter: ...
    @property
    def label_specific_margin_param(self) -> LabelSpecificMarginParameter: ...
    @property
    def channel_scale_param(self) -> ChannelScaleParameter: ...
    @property
    def label_specific_affine_param(self) -> LabelSpecificAffineParameter: ...
    @property
    def label_specific_hard_margin_param(self) -> LabelSpecificHardMarginParameter: ...
    @property
    def label_specific_add_param(self) -> LabelSpecificAddParameter: ...
    @property
    def mil_data_param(self) -> MILDataParameter: ...
    @property
    def mil_param(self) -> MILParameter: ...
    @property
    def largemargin_inner_product_param(self) -> LargeMarginInnerProductParameter: ...
    @property
    def focal_loss_param(self) -> FocalLossParameter: ...
    @property
    def shuffle_channel_param(self) -> ShuffleChannelParameter: ...
    @property
    def dice_coef_loss_param(self) -> DiceCoefLossParameter: ...
    @property
    def selu_param(self) -> SeLuParameter: ...
    @property
    def selu_dropout_param(self) -> SeLuDropoutParameter: ...
    @property
    def ctc_loss_param(self) -> CtcLossParameter: ...
    @property
    def continuation_indicator_param(self) -> ContinuationIndicatorParameter: ...
    @property
    def labelsequence_accuracy_param(self) -> LabelsequenceAccuracyParameter: ...
    @property
    def reverse_param(self) -> ReverseParameter: ...
    @property
    def yolov3_param(self) -> Yolov3Parameter: ...
    @property
    def yolo_seg_param(self) -> YoloSegParameter: ...
    @property
    def segmentation_evaluate_param(self) -> SegmentationEvaluateParameter: ...
    @property
    def yolo_detection_output_param(self) -> YoloDetectionOutputParameter: ...
    @property
    def yolov3_detection_output_param(self) -> Yolov3DetectionOutputParameter: ...
    @property
    def relu6_param(self) -> ReLU6Parameter: ...
    @property
    def region_param(self) -> RegionParameter: ...
    @property
    def lstm_param(self) -> LSTMParameter: ...
    @property
    def deformable_convolution_param(self) -> DeformableConvolutionParameter: ...
    @property
    def relux_param(self) -> ReLUXParameter: ...
    @property
    def roi_mask_pooling_param(self) -> ROIMaskPoolingParameter: ...
    @property
    def deformable_psroi_pooling_param(self) -> DeformablePSROIPoolingParameter: ...
    @property
    def inner_product_blob_param(self) -> InnerProductBlobParameter: ...
    @property
    def roi_align_param(self) -> ROIAlignParameter: ...
    @property
    def frcnn_anchor_target_param(self) -> FrcnnAnchorTargetParameter: ...
    @property
    def frcnn_proposal_param(self) -> FrcnnProposalParameter: ...
    @property
    def frcnn_proposal_target_param(self) -> FrcnnProposalTargetParameter: ...
    @property
    def roi_mask_align_param(self) -> ROIMaskAlignParameter: ...
    @property
    def boxes_obj_param(self) -> BoxesObjParameter: ...
    @property
    def unpooling_param(self) -> UnpoolingParameter: ...
    @property
    def cpm_transform_param(self) -> CPMTransformationParameter: ...
    @property
    def coeff_schedule_param(self) -> CoeffScheduleParameter: ...
    @property
    def augmentation_param(self) -> AugmentationParameter: ...
    @property
    def correlation_param(self) -> CorrelationParameter: ...
    @property
    def l1_loss_param(self) -> L1LossParameter: ...
    @property
    def writer_param(self) -> WriterParameter: ...
    @property
    def reader_param(self) -> ReaderParameter: ...
    @property
    def mean_param(self) -> MeanParameter: ...
    @property
    def resample_param(self) -> ResampleParameter: ...
    @property
    def downsample_param(self) -> DownsampleParameter: ...
    @property
    def lpq_loss_param(self) -> LpqLossParameter: ...
    @property
    def flow_warp_param(self) -> FlowWarpParameter: ...
    @property
    def accum_param(self) -> AccumParameter: ...
    @property
    def black_augmentation_param(self) -> BlackAugmentationParameter: ...
    reshape_every_iter: bool
    @property
    def detection_loss_param(self) -> DetectionLossParameter: ...
    @property
    def detection_accuracy_param(self) -> DetectionAccuracyParameter: ...
    @property
    def box_output_param(self) -> BoxOutputParameter: ...
    @property
    def image_gt_data_param(self) -> ImageGtDataParameter: ...
    @property
    def proposal_target_param(self) -> ProposalTargetParameter: ...
    @property
    def bbox_reg_param(self) -> BBoxRegParameter: ...
    @property
    def decode_bbox_param(self) -> DecodeBBoxParameter: ...
    @property
    def detection_data_param(self) -> DetectionDataParameter: ...
    @property
    def eval_data_param(self) -> EvalDataParameter: ...
    @property
    def hard_mining_param(self) -> HardMiningParameter: ...
    @property
    def scale_route_param(self) -> ScaleRouteParameter: ...
    @property
    def detection_group_loss_param(self) -> DetectionGroupLossParameter: ...
    @property
    def detection_group_accuracy_param(self) -> DetectionGroupAccuracyParameter: ...
    @property
    def box_group_output_param(self) -> BoxGroupOutputParameter: ...
    @property
    def frcnn_output_param(self) -> FrcnnOutputParameter: ...
    @property
    def parse_evaluate_param(self) -> ParseEvaluateParameter: ...
    @property
    def denseblock_param(self) -> DenseBlockParameter: ...
    @property
    def ctc_decoder_param(self) -> CTCDecoderParameter: ...
    @property
    def reverse_time_param(self) -> ReverseTimeParameter: ...
    @property
    def transpose_param(self) -> TransposeParameter: ...
    @property
    def filter_param(self) -> FilterParamter: ...
    strict_dim: bool
    @property
    def censor_label_param(self) -> CensorLabelParameter: ...
    @property
    def channel_aggregator_param(self) -> ChannelAggregatorParameter: ...
    @property
    def dominant_channel_param(self) -> DominantChannelParameter: ...
    @property
    def euclidean_loss_param(self) -> EuclideanLossParameter: ...
    @property
    def gain_channel_param(self) -> GainChannelParameter: ...
    @property
    def histogram_param(self) -> HistogramParameter: ...
    @property
    def ignore_overlay_param(self) -> IgnoreOverlayParameter: ...
    @property
    def onehot_param(self) -> OneHotParameter: ...
    @property
    def padding_param(self) -> PaddingParameter: ...
    @property
    def softmaxloss_param(self) -> SoftmaxLossParameter: ...
    @property
    def binary_accuracy_param(self) -> BinaryAccuracyParameter: ...
    @property
    def eltwise_accuracy_param(self) -> EltwiseAccuracyParameter: ...
    @property
    def red_softmax_loss_param(self) -> RedSoftmaxWithLossParameter: ...
    @property
    def red_accuracy_param(self) -> RedAccuracyParameter: ...
    @property
    def select_seg_binary_param(self) -> SelectSegBinaryParameter: ...
    @property
    def window_cls_data_param(self) -> WindowClsDataParameter: ...
    @property
    def group_norm_param(self) -> GroupNormParameter: ...
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
        annotated_data_param: AnnotatedDataParameter | Mapping[str, Any] | None = ...,
        detection_evaluate_param: DetectionEvaluateParameter | Mapping[str, Any] | None = ...,
        multibox_loss_param: MultiBoxLossParameter | Mapping[str, Any] | None = ...,
        prior_box_param: PriorBoxParameter | Mapping[str, Any] | None = ...,
        detection_output_param: DetectionOutputParameter | Mapping[str, Any] | None = ...,
        norm_param: NormalizeParameter | Mapping[str, Any] | None = ...,
        permute_param: PermuteParameter | Mapping[str, Any] | None = ...,
        video_data_param: VideoDataParameter | Mapping[str, Any] | None = ...,
        debug: bool | None = ...,
        trt_param: TRTParameter | Mapping[str, Any] | None = ...,
        detectnet_groundtruth_param: DetectNetGroundTruthParameter | Mapping[str, Any] | None = ...,
        detectnet_augmentation_param: DetectNetAugmentationParameter | Mapping[str, Any] | None = ...,
        box_annotator_ohem_param: BoxAnnotatorOHEMParameter | Mapping[str, Any] | None = ...,
        psroi_pooling_param: PSROIPoolingParameter | Mapping[str, Any] | None = ...,
        roi_pooling_param: ROIPoolingParameter | Mapping[str, Any] | None = ...,
        smooth_l1_loss_param: SmoothL1LossParameter | Mapping[str, Any] | None = ...,
        split_param: SplitParameter | Mapping[str, Any] | None = ...,
        spatial_dropout_param: SpatialDropoutParameter | Mapping[str, Any] | None = ...,
        engine: str | None = ...,
        multinode: MultinodeLayerParameter | Mapping[str, Any] | None = ...,
        mn_activation_param: MnActivationParameter | Mapping[str, Any] | None = ...,
        mn_grad_compress_param: MnParamGradCompressParameter | Mapping[str, Any] | None = ...,
        quantization_param: QuantizationParameter | Mapping[str, Any] | None = ...,
        eval_detection_param: EvalDetectionParameter | Mapping[str, Any] | None = ...,
        reorg_param: ReorgParameter | Mapping[str, Any] | None = ...,
        region_loss_param: RegionLossParameter | Mapping[str, Any] | None = ...,
        roi_warping_param: ROIWarpingParameter | Mapping[str, Any] | None = ...,
        mask_resize_param: MaskResizeParameter | Mapping[str, Any] | None = ...,
        bn_param: BNParameter | Mapping[str, Any] | None = ...,
        dense_image_data_param: DenseImageDataParameter | Mapping[str, Any] | None = ...,
        upsample_param: UpsampleParameter | Mapping[str, Any] | None = ...,
        adaptive_bias_channel_param: AdaptiveBiasChannelParameter | Mapping[str, Any] | None = ...,
        bias_channel_param: BiasChannelParameter | Mapping[str, Any] | None = ...,
        domain_transform_param: DomainTransformParameter | Mapping[str, Any] | None = ...,
        mat_read_param: MatReadParameter | Mapping[str, Any] | None = ...,
        mat_write_param: MatWriteParameter | Mapping[str, Any] | None = ...,
        unique_label_param: UniqueLabelParameter | Mapping[str, Any] | None = ...,
        dense_crf_param: DenseCRFParameter | Mapping[str, Any] | None = ...,
        seg_accuracy_param: SegAccuracyParameter | Mapping[str, Any] | None = ...,
        interp_param: InterpParameter | Mapping[str, Any] | None = ...,
        seg_data_param: SegDataParameter | Mapping[str, Any] | None = ...,
        batch_reduction_param: BatchReductionParameter | Mapping[str, Any] | None = ...,
        color_conv_param: ColorConvParameter | Mapping[str, Any] | None = ...,
        center_loss_param: CenterLossParameter | Mapping[str, Any] | None = ...,
        margin_inner_product_param: MarginInnerProductParameter | Mapping[str, Any] | None = ...,
        local_param: LocalParameter | Mapping[str, Any] | None = ...,
        insanity_param: InsanityParameter | Mapping[str, Any] | None = ...,
        triplet_loss_param: TripletLossParameter | Mapping[str, Any] | None = ...,
        eltwise_affine_param: EltwiseAffineParameter | Mapping[str, Any] | None = ...,
        sub_region_param: SubRegionParameter | Mapping[str, Any] | None = ...,
        noise_param: NormFaceNoiseParameter | Mapping[str, Any] | None = ...,
        hotspot_param: HotspotParameter | Mapping[str, Any] | None = ...,
        predict_box_param: PredictBoxParameter | Mapping[str, Any] | None = ...,
        fcn_data_param: FCNDataParameter | Mapping[str, Any] | None = ...,
        flip_param: FlipParameter | Mapping[str, Any] | None = ...,
        inner_distance_param: InnerDistanceParameter | Mapping[str, Any] | None = ...,
        normalize_param: NormFaceNormalizeParameter | Mapping[str, Any] | None = ...,
        general_contrastive_loss_param: GeneralContrastiveParameter | Mapping[str, Any] | None = ...,
        soft_contrastive_loss_param: SoftContrastiveParameter | Mapping[str, Any] | None = ...,
        general_triplet_loss_param: GeneralTripletParameter | Mapping[str, Any] | None = ...,
        soft_truncation_param: SoftTruncationParameter | Mapping[str, Any] | None = ...,
        proposal_param: ProposalParameter | Mapping[str, Any] | None = ...,
        pairwise_param: PairwiseParameter | Mapping[str, Any] | None = ...,
        smoothl1_param: SmoothL1Parameter | Mapping[str, Any] | None = ...,
        batch_contrastive_loss_param: BatchContrastiveParameter | Mapping[str, Any] | None = ...,
        truncation_param: TruncationParameter | Mapping[str, Any] | None = ...,
        nca_param: NCAParameter | Mapping[str, Any] | None = ...,
        label_specific_rescale_param: LabelSpecificRescaleParameter | Mapping[str, Any] | None = ...,
        infimum_loss_param: InfimumLossParamter | Mapping[str, Any] | None = ...,
        ordinal_regression_loss_param: OrdinalRegressionParameter | Mapping[str, Any] | None = ...,
        resize_param: NormFaceResizeParameter | Mapping[str, Any] | None = ...,
        feature_decay_loss_param: FeatureDecayLossParameter | Mapping[str, Any] | None = ...,
        confidence_penalty_loss_param: ConfidencePenaltyLossParameter | Mapping[str, Any] | None = ...,
        label_specific_margin_param: LabelSpecificMarginParameter | Mapping[str, Any] | None = ...,
        channel_scale_param: ChannelScaleParameter | Mapping[str, Any] | None = ...,
        label_specific_affine_param: LabelSpecificAffineParameter | Mapping[str, Any] | None = ...,
        label_specific_hard_margin_param: LabelSpecificHardMarginParameter | Mapping[str, Any] | None = ...,
        label_specific_add_param: LabelSpecificAddParameter | Mapping[str, Any] | None = ...,
        mil_data_param: MILDataParameter | Mapping[str, Any] | None = ...,
        mil_param: MILParameter | Mapping[str, Any] | None = ...,
        largemargin_inner_product_param: LargeMarginInnerProductParameter | Mapping[str, Any] | None = ...,
        focal_loss_param: FocalLossParameter | Mapping[str, Any] | None = ...,
        shuffle_channel_param: ShuffleChannelParameter | Mapping[str, Any] | None = ...,
        dice_coef_loss_param: DiceCoefLossParameter | Mapping[str, Any] | None = ...,
        selu_param: SeLuParameter | Mapping[str, Any] | None = ...,
        selu_dropout_param: SeLuDropoutParameter | Mapping[str, Any] | None = ...,
        ctc_loss_param: CtcLossParameter | Mapping[str, Any] | None = ...,
        continuation_indicator_param: ContinuationIndicatorParameter | Mapping[str, Any] | None = ...,
        labelsequence_accuracy_param: LabelsequenceAccuracyParameter | Mapping[str, Any] | None = ...,
        reverse_param: ReverseParameter | Mapping[str, Any] | None = ...,
        yolov3_param: Yolov3Parameter | Mapping[str, Any] | None = ...,
        yolo_seg_param: YoloSegParameter | Mapping[str, Any] | None = ...,
        segmentation_evaluate_param: SegmentationEvaluateParameter | Mapping[str, Any] | None = ...,
        yolo_detection_output_param: YoloDetectionOutputParameter | Mapping[str, Any] | None = ...,
        yolov3_detection_output_param: Yolov3DetectionOutputParameter | Mapping[str, Any] | None = ...,
        relu6_param: ReLU6Parameter | Mapping[str, Any] | None = ...,
        region_param: RegionParameter | Mapping[str, Any] | None = ...,
        lstm_param: LSTMParameter | Mapping[str, Any] | None = ...,
        deformable_convolution_param: DeformableConvolutionParameter | Mapping[str, Any] | None = ...,
        relux_param: ReLUXParameter | Mapping[str, Any] | None = ...,
        roi_mask_pooling_param: ROIMaskPoolingParameter | Mapping[str, Any] | None = ...,
        deformable_psroi_pooling_param: DeformablePSROIPoolingParameter | Mapping[str, Any] | None = ...,
        inner_product_blob_param: InnerProductBlobParameter | Mapping[str, Any] | None = ...,
        roi_align_param: ROIAlignParameter | Mapping[str, Any] | None = ...,
        frcnn_anchor_target_param: FrcnnAnchorTargetParameter | Mapping[str, Any] | None = ...,
        frcnn_proposal_param: FrcnnProposalParameter | Mapping[str, Any] | None = ...,
        frcnn_proposal_target_param: FrcnnProposalTargetParameter | Mapping[str, Any] | None = ...,
        roi_mask_align_param: ROIMaskAlignParameter | Mapping[str, Any] | None = ...,
        boxes_obj_param: BoxesObjParameter | Mapping[str, Any] | None = ...,
        unpooling_param: UnpoolingParameter | Mapping[str, Any] | None = ...,
        cpm_transform_param: CPMTransformationParameter | Mapping[str, Any] | None = ...,
        coeff_schedule_param: CoeffScheduleParameter | Mapping[str, Any] | None = ...,
        augmentation_param: AugmentationParameter | Mapping[str, Any] | None = ...,
        correlation_param: CorrelationParameter | Mapping[str, Any] | None = ...,
        l1_loss_param: L1LossParameter | Mapping[str, Any] | None = ...,
        writer_param: WriterParameter | Mapping[str, Any] | None = ...,
        reader_param: ReaderParameter | Mapping[str, Any] | None = ...,
        mean_param: MeanParameter | Mapping[str, Any] | None = ...,
        resample_param: ResampleParameter | Mapping[str, Any] | None = ...,
        downsample_param: DownsampleParameter | Mapping[str, Any] | None = ...,
        lpq_loss_param: LpqLossParameter | Mapping[str, Any] | None = ...,
        flow_warp_param: FlowWarpParameter | Mapping[str, Any] | None = ...,
        accum_param: AccumParameter | Mapping[str, Any] | None = ...,
        black_augmentation_param: BlackAugmentationParameter | Mapping[str, Any] | None = ...,
        reshape_every_iter: bool | None = ...,
        detection_loss_param: DetectionLossParameter | Mapping[str, Any] | None = ...,
        detection_accuracy_param: DetectionAccuracyParameter | Mapping[str, Any] | None = ...,
        box_output_param: BoxOutputParameter | Mapping[str, Any] | None = ...,
        image_gt_data_param: ImageGtDataParameter | Mapping[str, Any] | None = ...,
        proposal_target_param: ProposalTargetParameter | Mapping[str, Any] | None = ...,
        bbox_reg_param: BBoxRegParameter | Mapping[str, Any] | None = ...,
        decode_bbox_param: DecodeBBoxParameter | Mapping[str, Any] | None = ...,
        detection_data_param: DetectionDataParameter | Mapping[str, Any] | None = ...,
        eval_data_param: EvalDataParameter | Mapping[str, Any] | None = ...,
        hard_mining_param: HardMiningParameter | Mapping[str, Any] | None = ...,
        scale_route_param: ScaleRouteParameter | Mapping[str, Any] | None = ...,
        detection_group_loss_param: DetectionGroupLossParameter | Mapping[str, Any] | None = ...,
        detection_group_accuracy_param: DetectionGroupAccuracyParameter | Mapping[str, Any] | None = ...,
        box_group_output_param: BoxGroupOutputParameter | Mapping[str, Any] | None = ...,
        frcnn_output_param: FrcnnOutputParameter | Mapping[str, Any] | None = ...,
        parse_evaluate_param: ParseEvaluateParameter | Mapping[str, Any] | None = ...,
        denseblock_param: DenseBlockParameter | Mapping[str, Any] | None = ...,
        ctc_decoder_param: CTCDecoderParameter | Mapping[str, Any] | None = ...,
        reverse_time_param: ReverseTimeParameter | Mapping[str, Any] | None = ...,
        transpose_param: TransposeParameter | Mapping[str, Any] | None = ...,
        filter_param: FilterParamter | Mapping[str, Any] | None = ...,
        strict_dim: bool | None = ...,
        censor_label_param: CensorLabelParameter | Mapping[str, Any] | None = ...,
        channel_aggregator_param: ChannelAggregatorParameter | Mapping[str, Any] | None = ...,
        dominant_channel_param: DominantChannelParameter | Mapping[str, Any] | None = ...,
        euclidean_loss_param: EuclideanLossParameter | Mapping[str, Any] | None = ...,
        gain_channel_param: GainChannelParameter | Mapping[str, Any] | None = ...,
        histogram_param: HistogramParameter | Mapping[str, Any] | None = ...,
        ignore_overlay_param: IgnoreOverlayParameter | Mapping[str, Any] | None = ...,
        onehot_param: OneHotParameter | Mapping[str, Any] | None = ...,
        padding_param: PaddingParameter | Mapping[str, Any] | None = ...,
        softmaxloss_param: SoftmaxLossParameter | Mapping[str, Any] | None = ...,
        binary_accuracy_param: BinaryAccuracyParameter | Mapping[str, Any] | None = ...,
        eltwise_accuracy_param: EltwiseAccuracyParameter | Mapping[str, Any] | None = ...,
        red_softmax_loss_param: RedSoftmaxWithLossParameter | Mapping[str, Any] | None = ...,
        red_accuracy_param: RedAccuracyParameter | Mapping[str, Any] | None = ...,
        select_seg_binary_param: SelectSegBinaryParameter | Mapping[str, Any] | None = ...,
        window_cls_data_param: WindowClsDataParameter | Mapping[str, Any] | None = ...,
        group_norm_param: GroupNormParameter | Mapping[str, Any] | None = ...,
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
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    NOISE_PARAM_FIELD_NUMBER: ClassVar[int]
    DISTORT_PARAM_FIELD_NUMBER: ClassVar[int]
    EXPAND_PARAM_FIELD_NUMBER: ClassVar[int]
    EMIT_CONSTRAINT_FIELD_NUMBER: ClassVar[int]
    DISPLAY_FIELD_NUMBER: ClassVar[int]
    NUM_LABELS_FIELD_NUMBER: ClassVar[int]
    RANDOM_RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    RANDOM_ASPECT_RATIO_PARAM_FIELD_NUMBER: ClassVar[int]
    FLOW_FIELD_NUMBER: ClassVar[int]
    BGR2RGB_FIELD_NUMBER: ClassVar[int]
    PAD_FIELD_NUMBER: ClassVar[int]
    SCALE_FACTORS_FIELD_NUMBER: ClassVar[int]
    CROP_WIDTH_FIELD_NUMBER: ClassVar[int]
    CROP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    FIX_CROP_FIELD_NUMBER: ClassVar[int]
    MORE_FIX_CROP_FIELD_NUMBER: ClassVar[int]
    MULTI_SCALE_FIELD_NUMBER: ClassVar[int]
    SCALE_RATIOS_FIELD_NUMBER: ClassVar[int]
    MAX_DISTORT_FIELD_NUMBER: ClassVar[int]
    IS_FLOW_FIELD_NUMBER: ClassVar[int]
    ORIGINAL_IMAGE_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    UPPER_SIZE_FIELD_NUMBER: ClassVar[int]
    UPPER_HEIGHT_FIELD_NUMBER: ClassVar[int]
    UPPER_WIDTH_FIELD_NUMBER: ClassVar[int]
    CENTER_CROP_FIELD_NUMBER: ClassVar[int]
    ERASE_RATIO_FIELD_NUMBER: ClassVar[int]
    SCALE_MIN_FIELD_NUMBER: ClassVar[int]
    SCALE_MAX_FIELD_NUMBER: ClassVar[int]
    ASPECT_MIN_FIELD_NUMBER: ClassVar[int]
    ASPECT_MAX_FIELD_NUMBER: ClassVar[int]
    GEOMETRY_PARAM_FIELD_NUMBER: ClassVar[int]
    ROTATE_FIELD_NUMBER: ClassVar[int]
    UNTRANSFORMED_TOP_FIELD_NUMBER: ClassVar[int]
    ENABLE_CLASSF_AUG_FIELD_NUMBER: ClassVar[int]
    CVT_BGR2RGB_FIELD_NUMBER: ClassVar[int]
    MIN_SCALING_FACTOR_FIELD_NUMBER: ClassVar[int]
    MAX_SCALING_FACTOR_FIELD_NUMBER: ClassVar[int]
    MAX_ROTATION_ANGLE_FIELD_NUMBER: ClassVar[int]
    CONTRAST_BRIGHTNESS_ADJUSTMENT_FIELD_NUMBER: ClassVar[int]
    SMOOTH_FILTERING_FIELD_NUMBER: ClassVar[int]
    MIN_CONTRAST_FIELD_NUMBER: ClassVar[int]
    MAX_CONTRAST_FIELD_NUMBER: ClassVar[int]
    MAX_BRIGHTNESS_SHIFT_FIELD_NUMBER: ClassVar[int]
    MAX_SMOOTH_FIELD_NUMBER: ClassVar[int]
    MAX_COLOR_SHIFT_FIELD_NUMBER: ClassVar[int]
    MIN_SIDE_MIN_FIELD_NUMBER: ClassVar[int]
    MIN_SIDE_MAX_FIELD_NUMBER: ClassVar[int]
    MIN_SIDE_FIELD_NUMBER: ClassVar[int]
    APPLY_PROBABILITY_FIELD_NUMBER: ClassVar[int]
    DEBUG_PARAMS_FIELD_NUMBER: ClassVar[int]
    VERTICAL_MIRROR_FIELD_NUMBER: ClassVar[int]
    RANDOM_90_DEG_ROT_FIELD_NUMBER: ClassVar[int]
    ADD_NOISE_FIELD_NUMBER: ClassVar[int]
    NOISE_RATIO_FIELD_NUMBER: ClassVar[int]
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
    resize_param: RepeatedCompositeFieldContainer[ResizeParameter]
    noise_param: RepeatedCompositeFieldContainer[NoiseParameter]
    @property
    def distort_param(self) -> DistortionParameter: ...
    @property
    def expand_param(self) -> ExpansionParameter: ...
    @property
    def emit_constraint(self) -> EmitConstraint: ...
    display: bool
    num_labels: int
    @property
    def random_resize_param(self) -> RandomResizeParameter: ...
    @property
    def random_aspect_ratio_param(self) -> RandomAspectRatioParameter: ...
    flow: bool
    bgr2rgb: bool
    pad: int
    scale_factors: RepeatedScalarFieldContainer[float]
    crop_width: int
    crop_height: int
    fix_crop: bool
    more_fix_crop: bool
    multi_scale: bool
    scale_ratios: RepeatedScalarFieldContainer[float]
    max_distort: int
    is_flow: bool
    original_image: bool
    stride: int
    upper_size: int
    upper_height: int
    upper_width: int
    center_crop: bool
    erase_ratio: float
    scale_min: float
    scale_max: float
    aspect_min: float
    aspect_max: float
    @property
    def geometry_param(self) -> GeometryParameter: ...
    rotate: bool
    untransformed_top: bool
    enable_classf_aug: bool
    cvt_bgr2rgb: bool
    min_scaling_factor: float
    max_scaling_factor: float
    max_rotation_angle: int
    contrast_brightness_adjustment: bool
    smooth_filtering: bool
    min_contrast: float
    max_contrast: float
    max_brightness_shift: int
    max_smooth: float
    max_color_shift: int
    min_side_min: int
    min_side_max: int
    min_side: int
    apply_probability: float
    debug_params: bool
    vertical_mirror: bool
    random_90_deg_rot: bool
    add_noise: bool
    noise_ratio: float
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
        resize_param: Iterable[ResizeParameter | Mapping[str, Any]] | None = ...,
        noise_param: Iterable[NoiseParameter | Mapping[str, Any]] | None = ...,
        distort_param: DistortionParameter | Mapping[str, Any] | None = ...,
        expand_param: ExpansionParameter | Mapping[str, Any] | None = ...,
        emit_constraint: EmitConstraint | Mapping[str, Any] | None = ...,
        display: bool | None = ...,
        num_labels: int | None = ...,
        random_resize_param: RandomResizeParameter | Mapping[str, Any] | None = ...,
        random_aspect_ratio_param: RandomAspectRatioParameter | Mapping[str, Any] | None = ...,
        flow: bool | None = ...,
        bgr2rgb: bool | None = ...,
        pad: int | None = ...,
        scale_factors: Iterable[float] | None = ...,
        crop_width: int | None = ...,
        crop_height: int | None = ...,
        fix_crop: bool | None = ...,
        more_fix_crop: bool | None = ...,
        multi_scale: bool | None = ...,
        scale_ratios: Iterable[float] | None = ...,
        max_distort: int | None = ...,
        is_flow: bool | None = ...,
        original_image: bool | None = ...,
        stride: int | None = ...,
        upper_size: int | None = ...,
        upper_height: int | None = ...,
        upper_width: int | None = ...,
        center_crop: bool | None = ...,
        erase_ratio: float | None = ...,
        scale_min: float | None = ...,
        scale_max: float | None = ...,
        aspect_min: float | None = ...,
        aspect_max: float | None = ...,
        geometry_param: GeometryParameter | Mapping[str, Any] | None = ...,
        rotate: bool | None = ...,
        untransformed_top: bool | None = ...,
        enable_classf_aug: bool | None = ...,
        cvt_bgr2rgb: bool | None = ...,
        min_scaling_factor: float | None = ...,
        max_scaling_factor: float | None = ...,
        max_rotation_angle: int | None = ...,
        contrast_brightness_adjustment: bool | None = ...,
        smooth_filtering: bool | None = ...,
        min_contrast: float | None = ...,
        max_contrast: float | None = ...,
        max_brightness_shift: int | None = ...,
        max_smooth: float | None = ...,
        max_color_shift: int | None = ...,
        min_side_min: int | None = ...,
        min_side_max: int | None = ...,
        min_side: int | None = ...,
        apply_probability: float | None = ...,
        debug_params: bool | None = ...,
        vertical_mirror: bool | None = ...,
        random_90_deg_rot: bool | None = ...,
        add_noise: bool | None = ...,
        noise_ratio: float | None = ...,
    ) -> None: ...

class LossParameter(Message):
    class NormalizationMode(int, metaclass=EnumTypeWrapper):
        FULL: ClassVar[int]
        VALID: ClassVar[int]
        BATCH_SIZE: ClassVar[int]
        NONE: ClassVar[int]
        PRE_FIXED: ClassVar[int]
    FULL: ClassVar[int]
    VALID: ClassVar[int]
    BATCH_SIZE: ClassVar[int]
    NONE: ClassVar[int]
    PRE_FIXED: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    NORMALIZATION_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_FIELD_NUMBER: ClassVar[int]
    LABEL_SMOOTHING_FIELD_NUMBER: ClassVar[int]
    PRE_FIXED_NORMALIZER_FIELD_NUMBER: ClassVar[int]
    WEIGHT_BY_LABEL_FREQS_FIELD_NUMBER: ClassVar[int]
    CLASS_WEIGHTING_FIELD_NUMBER: ClassVar[int]
    ignore_label: int
    normalization: int
    normalize: bool
    label_smoothing: float
    pre_fixed_normalizer: float
    weight_by_label_freqs: bool
    class_weighting: RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        *,
        ignore_label: int | None = ...,
        normalization: int | str | None = ...,
        normalize: bool | None = ...,
        label_smoothing: float | None = ...,
        pre_fixed_normalizer: float | None = ...,
        weight_by_label_freqs: bool | None = ...,
        class_weighting: Iterable[float] | None = ...,
    ) -> None: ...

class DataParameter(Message):
    class DB(int, metaclass=EnumTypeWrapper):
        LEVELDB: ClassVar[int]
        LMDB: ClassVar[int]
        DATUMFILE: ClassVar[int]
    LEVELDB: ClassVar[int]
    LMDB: ClassVar[int]
    DATUMFILE: ClassVar[int]
    class RANDPERMORDER(int, metaclass=EnumTypeWrapper):
        FIRST_PERMUTE_THEN_RANGE: ClassVar[int]
        FIRST_RANGE_THEN_PERMUTE: ClassVar[int]
    FIRST_PERMUTE_THEN_RANGE: ClassVar[int]
    FIRST_RANGE_THEN_PERMUTE: ClassVar[int]
    class CHANNELENCODING(int, metaclass=EnumTypeWrapper):
        UINT8: ClassVar[int]
        UINT16FLOW: ClassVar[int]
        BOOL1: ClassVar[int]
    UINT8: ClassVar[int]
    UINT16FLOW: ClassVar[int]
    BOOL1: ClassVar[int]
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
    THREADS_FIELD_NUMBER: ClassVar[int]
    PARSER_THREADS_FIELD_NUMBER: ClassVar[int]
    CACHE_FIELD_NUMBER: ClassVar[int]
    PRECACHE_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    SIDE_FIELD_NUMBER: ClassVar[int]
    NUM_LABEL_FIELD_NUMBER: ClassVar[int]
    DISK_READER_THREADS_FIELD_NUMBER: ClassVar[int]
    HUGE_VIDEO_DATASET_FIELD_NUMBER: ClassVar[int]
    LIMIT_SAMPLES_FIELD_NUMBER: ClassVar[int]
    PRESELECTION_FILE_FIELD_NUMBER: ClassVar[int]
    PRESELECTION_LABEL_FIELD_NUMBER: ClassVar[int]
    RANGE_START_FIELD_NUMBER: ClassVar[int]
    RANGE_END_FIELD_NUMBER: ClassVar[int]
    RAND_PERMUTE_FIELD_NUMBER: ClassVar[int]
    RAND_PERMUTE_ORDER_FIELD_NUMBER: ClassVar[int]
    RAND_PERMUTE_SEED_FIELD_NUMBER: ClassVar[int]
    SLICE_POINT_FIELD_NUMBER: ClassVar[int]
    ENCODING_FIELD_NUMBER: ClassVar[int]
    VERBOSE_FIELD_NUMBER: ClassVar[int]
    SUBTRACT_FIELD_NUMBER: ClassVar[int]
    PERMUTE_EVERY_ITER_FIELD_NUMBER: ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_BUFFER_SIZE_FIELD_NUMBER: ClassVar[int]
    TASK_CLASS_NUM_FIELD_NUMBER: ClassVar[int]
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
    threads: int
    parser_threads: int
    cache: bool
    precache: bool
    shuffle: bool
    side: RepeatedScalarFieldContainer[int]
    num_label: int
    disk_reader_threads: int
    huge_video_dataset: bool
    limit_samples: int
    preselection_file: str
    preselection_label: int
    range_start: int
    range_end: int
    rand_permute: bool
    rand_permute_order: int
    rand_permute_seed: int
    slice_point: RepeatedScalarFieldContainer[int]
    encoding: RepeatedScalarFieldContainer[int]
    verbose: bool
    subtract: RepeatedScalarFieldContainer[float]
    permute_every_iter: int
    block_size: int
    shuffle_buffer_size: int
    task_class_num: int
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
        threads: int | None = ...,
        parser_threads: int | None = ...,
        cache: bool | None = ...,
        precache: bool | None = ...,
        shuffle: bool | None = ...,
        side: Iterable[int] | None = ...,
        num_label: int | None = ...,
        disk_reader_threads: int | None = ...,
        huge_video_dataset: bool | None = ...,
        limit_samples: int | None = ...,
        preselection_file: str | None = ...,
        preselection_label: int | None = ...,
        range_start: int | None = ...,
        range_end: int | None = ...,
        rand_permute: bool | None = ...,
        rand_permute_order: int | str | None = ...,
        rand_permute_seed: int | None = ...,
        slice_point: Iterable[int] | None = ...,
        encoding: Iterable[int | str] | None = ...,
        verbose: bool | None = ...,
        subtract: Iterable[float] | None = ...,
        permute_every_iter: int | None = ...,
        block_size: int | None = ...,
        shuffle_buffer_size: int | None = ...,
        task_class_num: int | None = ...,
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
    IMAGE_FIELD_NUMBER: ClassVar[int]
    source: str
    batch_size: int
    shuffle: bool
    image: bool
    def __init__(
        self,
        *,
        source: str | None = ...,
        batch_size: int | None = ...,
        shuffle: bool | None = ...,
        image: bool | None = ...,
    ) -> None: ...

class ImageDataParameter(Message):
    class LabelType(int, metaclass=EnumTypeWrapper):
        NONE: ClassVar[int]
        IMAGE: ClassVar[int]
        PIXEL: ClassVar[int]
    NONE: ClassVar[int]
    IMAGE: ClassVar[int]
    PIXEL: ClassVar[int]
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
    SHORT_SIDE_FIELD_NUMBER: ClassVar[int]
    THREADS_FIELD_NUMBER: ClassVar[int]
    CACHE_FIELD_NUMBER: ClassVar[int]
    PRECACHE_FIELD_NUMBER: ClassVar[int]
    DATASET_SHARE_PER_NODE_FIELD_NUMBER: ClassVar[int]
    MIN_HEIGHT_FIELD_NUMBER: ClassVar[int]
    MIN_WIDTH_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    LABEL_TYPE_FIELD_NUMBER: ClassVar[int]
    HAS_LABEL_FIELD_NUMBER: ClassVar[int]
    MAX_LABELS_FIELD_NUMBER: ClassVar[int]
    FACE_TRANSFORM_FIELD_NUMBER: ClassVar[int]
    MAX_SHEAR_RATIO_FIELD_NUMBER: ClassVar[int]
    MAX_ASPECT_RATIO_FIELD_NUMBER: ClassVar[int]
    MAX_ROTATE_ANGLE_FIELD_NUMBER: ClassVar[int]
    MIN_RANDOM_SCALE_FIELD_NUMBER: ClassVar[int]
    MAX_RANDOM_SCALE_FIELD_NUMBER: ClassVar[int]
    MAX_RANDOM_SHIFT_FIELD_NUMBER: ClassVar[int]
    FACE_MIRROR_FIELD_NUMBER: ClassVar[int]
    FACE_POINT_NUM_FIELD_NUMBER: ClassVar[int]
    BALANCE_CLASS_FIELD_NUMBER: ClassVar[int]
    BALANCE_BY_FIELD_NUMBER: ClassVar[int]
    LABEL_CUT_START_FIELD_NUMBER: ClassVar[int]
    LABEL_CUT_END_FIELD_NUMBER: ClassVar[int]
    LABEL_SIZE_FIELD_NUMBER: ClassVar[int]
    OTHER_OBJECT_LABEL_FIELD_NUMBER: ClassVar[int]
    TASK_CLASS_NUM_FIELD_NUMBER: ClassVar[int]
    REGRESSION_FIELD_NUMBER: ClassVar[int]
    NEW_DIM_FIELD_NUMBER: ClassVar[int]
    BICUBIC_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_FIELD_NUMBER: ClassVar[int]
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
    short_side: int
    threads: int
    cache: bool
    precache: bool
    dataset_share_per_node: float
    min_height: int
    min_width: int
    ignore_label: int
    label_type: int
    has_label: bool
    max_labels: int
    face_transform: bool
    max_shear_ratio: float
    max_aspect_ratio: float
    max_rotate_angle: float
    min_random_scale: float
    max_random_scale: float
    max_random_shift: int
    face_mirror: bool
    face_point_num: int
    balance_class: bool
    balance_by: int
    label_cut_start: int
    label_cut_end: int
    label_size: int
    other_object_label: int
    task_class_num: int
    regression: bool
    new_dim: int
    bicubic: bool
    normalize: bool
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
        short_side: int | None = ...,
        threads: int | None = ...,
        cache: bool | None = ...,
        precache: bool | None = ...,
        dataset_share_per_node: float | None = ...,
        min_height: int | None = ...,
        min_width: int | None = ...,
        ignore_label: int | None = ...,
        label_type: int | str | None = ...,
        has_label: bool | None = ...,
        max_labels: int | None = ...,
        face_transform: bool | None = ...,
        max_shear_ratio: float | None = ...,
        max_aspect_ratio: float | None = ...,
        max_rotate_angle: float | None = ...,
        min_random_scale: float | None = ...,
        max_random_scale: float | None = ...,
        max_random_shift: int | None = ...,
        face_mirror: bool | None = ...,
        face_point_num: int | None = ...,
        balance_class: bool | None = ...,
        balance_by: int | None = ...,
        label_cut_start: int | None = ...,
        label_cut_end: int | None = ...,
        label_size: int | None = ...,
        other_object_label: int | None = ...,
        task_class_num: int | None = ...,
        regression: bool | None = ...,
        new_dim: int | None = ...,
        bicubic: bool | None = ...,
        normalize: bool | None = ...,
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
    TRANSPOSE_FIELD_NUMBER: ClassVar[int]
    LABEL_SIZE_FIELD_NUMBER: ClassVar[int]
    batch_size: int
    channels: int
    height: int
    width: int
    transpose: bool
    label_size: int
    def __init__(
        self,
        *,
        batch_size: int | None = ...,
        channels: int | None = ...,
        height: int | None = ...,
        width: int | None = ...,
        transpose: bool | None = ...,
        label_size: int | None = ...,
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
    MIN_IS_BETTER_FIELD_NUMBER: ClassVar[int]
    top_k: int
    axis: int
    ignore_label: int
    min_is_better: bool
    def __init__(
        self,
        *,
        top_k: int | None = ...,
        axis: int | None = ...,
        ignore_label: int | None = ...,
        min_is_better: bool | None = ...,
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
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
    USE_GLOBAL_STATS_FIELD_NUMBER: ClassVar[int]
    MOVING_AVERAGE_FRACTION_FIELD_NUMBER: ClassVar[int]
    EPS_FIELD_NUMBER: ClassVar[int]
    SCALE_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    SCALE_BIAS_FIELD_NUMBER: ClassVar[int]
    USE_WEIGHT_BIAS_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    FILLER_FIELD_NUMBER: ClassVar[int]
    STATS_BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    RELU_FIELD_NUMBER: ClassVar[int]
    UPDATE_GLOBAL_STATS_FIELD_NUMBER: ClassVar[int]
    DISABLE_MEAN_FIELD_NUMBER: ClassVar[int]
    DISABLE_VARIANCE_FIELD_NUMBER: ClassVar[int]
    use_global_stats: bool
    moving_average_fraction: float
    eps: float
    @property
    def scale_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    engine: int
    scale_bias: bool
    use_weight_bias: bool
    bias_term: bool
    @property
    def filler(self) -> FillerParameter: ...
    stats_batch_size: int
    relu: bool
    update_global_stats: bool
    disable_mean: bool
    disable_variance: bool
    def __init__(
        self,
        *,
        use_global_stats: bool | None = ...,
        moving_average_fraction: float | None = ...,
        eps: float | None = ...,
        scale_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        engine: int | str | None = ...,
        scale_bias: bool | None = ...,
        use_weight_bias: bool | None = ...,
        bias_term: bool | None = ...,
        filler: FillerParameter | Mapping[str, Any] | None = ...,
        stats_batch_size: int | None = ...,
        relu: bool | None = ...,
        update_global_stats: bool | None = ...,
        disable_mean: bool | None = ...,
        disable_variance: bool | None = ...,
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
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    CONCAT_DIM_FIELD_NUMBER: ClassVar[int]
    PER_FLA_FUSE_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    axis: int
    concat_dim: int
    per_fla_fuse: bool
    engine: int
    def __init__(
        self,
        *,
        axis: int | None = ...,
        concat_dim: int | None = ...,
        per_fla_fuse: bool | None = ...,
        engine: int | str | None = ...,
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
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
    class CuDNNConvolutionAlgorithmSeeker(int, metaclass=EnumTypeWrapper):
        GET: ClassVar[int]
        FINDEX: ClassVar[int]
    GET: ClassVar[int]
    FINDEX: ClassVar[int]
    class FusionType(int, metaclass=EnumTypeWrapper):
        NONE_FUSION: ClassVar[int]
        SUM_FUSION: ClassVar[int]
    NONE_FUSION: ClassVar[int]
    SUM_FUSION: ClassVar[int]
    class CudnnFlavor(int, metaclass=EnumTypeWrapper):
        SINGLE_HANDLE: ClassVar[int]
        MULTIPLE_HANDLES: ClassVar[int]
        MIN_MEMORY: ClassVar[int]
    SINGLE_HANDLE: ClassVar[int]
    MULTIPLE_HANDLES: ClassVar[int]
    MIN_MEMORY: ClassVar[int]
    class TFPaddingMethod(int, metaclass=EnumTypeWrapper):
        SAME: ClassVar[int]
        VALID: ClassVar[int]
    SAME: ClassVar[int]
    VALID: ClassVar[int]
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
    CUDNN_CONVOLUTION_ALGO_SEEKER_FIELD_NUMBER: ClassVar[int]
    CONV_ALGOS_OVERRIDE_FIELD_NUMBER: ClassVar[int]
    RELU_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_SLOPE_FIELD_NUMBER: ClassVar[int]
    CONV_ALGORITHM_FIELD_NUMBER: ClassVar[int]
    COEFF_FIELD_NUMBER: ClassVar[int]
    FUSION_TYPE_FIELD_NUMBER: ClassVar[int]
    HOLE_FIELD_NUMBER: ClassVar[int]
    HOLE_H_FIELD_NUMBER: ClassVar[int]
    HOLE_W_FIELD_NUMBER: ClassVar[int]
    DILATION_H_FIELD_NUMBER: ClassVar[int]
    DILATION_W_FIELD_NUMBER: ClassVar[int]
    SHAPE_OFFSET_FIELD_NUMBER: ClassVar[int]
    CUDNN_FLAVOR_FIELD_NUMBER: ClassVar[int]
    TF_PAD_FIELD_NUMBER: ClassVar[int]
    FILTER_STRIDE_FIELD_NUMBER: ClassVar[int]
    FILTER_STRIDE_H_FIELD_NUMBER: ClassVar[int]
    FILTER_STRIDE_W_FIELD_NUMBER: ClassVar[int]
    FILTERWISE_RATIO_FIELD_NUMBER: ClassVar[int]
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
    cudnn_convolution_algo_seeker: int
    conv_algos_override: str
    relu: bool
    negative_slope: float
    conv_algorithm: str
    coeff: RepeatedScalarFieldContainer[float]
    fusion_type: int
    hole: int
    hole_h: int
    hole_w: int
    dilation_h: int
    dilation_w: int
    shape_offset: RepeatedScalarFieldContainer[int]
    cudnn_flavor: int
    tf_pad: int
    filter_stride: int
    filter_stride_h: int
    filter_stride_w: int
    filterwise_ratio: float
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
        cudnn_convolution_algo_seeker: int | str | None = ...,
        conv_algos_override: str | None = ...,
        relu: bool | None = ...,
        negative_slope: float | None = ...,
        conv_algorithm: str | None = ...,
        coeff: Iterable[float] | None = ...,
        fusion_type: int | str | None = ...,
        hole: int | None = ...,
        hole_h: int | None = ...,
        hole_w: int | None = ...,
        dilation_h: int | None = ...,
        dilation_w: int | None = ...,
        shape_offset: Iterable[int] | None = ...,
        cudnn_flavor: int | str | None = ...,
        tf_pad: int | str | None = ...,
        filter_stride: int | None = ...,
        filter_stride_h: int | None = ...,
        filter_stride_w: int | None = ...,
        filterwise_ratio: float | None = ...,
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
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    DROPOUT_RATIO_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    RANDOM_SEED_FIELD_NUMBER: ClassVar[int]
    SCALE_TRAIN_FIELD_NUMBER: ClassVar[int]
    SAMPLE_WEIGHTS_TEST_FIELD_NUMBER: ClassVar[int]
    SQRT_SCALE_FIELD_NUMBER: ClassVar[int]
    dropout_ratio: float
    engine: int
    random_seed: int
    scale_train: bool
    sample_weights_test: bool
    sqrt_scale: bool
    def __init__(
        self,
        *,
        dropout_ratio: float | None = ...,
        engine: int | str | None = ...,
        random_seed: int | None = ...,
        scale_train: bool | None = ...,
        sample_weights_test: bool | None = ...,
        sqrt_scale: bool | None = ...,
    ) -> None: ...

class EltwiseParameter(Message):
    class EltwiseOp(int, metaclass=EnumTypeWrapper):
        PROD: ClassVar[int]
        SUM: ClassVar[int]
        MAX: ClassVar[int]
        STOCHASTIC_SUM: ClassVar[int]
        SORT: ClassVar[int]
    PROD: ClassVar[int]
    SUM: ClassVar[int]
    MAX: ClassVar[int]
    STOCHASTIC_SUM: ClassVar[int]
    SORT: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
    OPERATION_FIELD_NUMBER: ClassVar[int]
    COEFF_FIELD_NUMBER: ClassVar[int]
    STABLE_PROD_GRAD_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    operation: int
    coeff: RepeatedScalarFieldContainer[float]
    stable_prod_grad: bool
    engine: int
    def __init__(
        self,
        *,
        operation: int | str | None = ...,
        coeff: Iterable[float] | None = ...,
        stable_prod_grad: bool | None = ...,
        engine: int | str | None = ...,
    ) -> None: ...

class ELUParameter(Message):
    ALPHA_FIELD_NUMBER: ClassVar[int]
    LAMBDA_FIELD_NUMBER: ClassVar[int]
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
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    MKLDNN: ClassVar[int]
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    TRANSPOSE_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    RELU_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_SLOPE_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_FIELD_NUMBER: ClassVar[int]
    num_output: int
    bias_term: bool
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    axis: int
    transpose: bool
    engine: int
    relu: bool
    negative_slope: float
    normalize: bool
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        bias_term: bool | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        transpose: bool | None = ...,
        engine: int | str | None = ...,
        relu: bool | None = ...,
        negative_slope: float | None = ...,
        normalize: bool | None = ...,
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
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
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
    BLOB_FILLER_FIELD_NUMBER: ClassVar[int]
    @property
    def shape(self) -> BlobShape: ...
    @property
    def blob_filler(self) -> FillerParameter: ...
    def __init__(
        self,
        *,
        shape: BlobShape | Mapping[str, Any] | None = ...,
        blob_filler: FillerParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class PoolingParameter(Message):
    class PoolMethod(int, metaclass=EnumTypeWrapper):
        MAX: ClassVar[int]
        AVE: ClassVar[int]
        STOCHASTIC: ClassVar[int]
        DEF: ClassVar[int]
        DEF_ALL: ClassVar[int]
        DEF_ALL2: ClassVar[int]
        DEF_ALL3: ClassVar[int]
        DEF_ALL4: ClassVar[int]
        LOWRES: ClassVar[int]
    MAX: ClassVar[int]
    AVE: ClassVar[int]
    STOCHASTIC: ClassVar[int]
    DEF: ClassVar[int]
    DEF_ALL: ClassVar[int]
    DEF_ALL2: ClassVar[int]
    DEF_ALL3: ClassVar[int]
    DEF_ALL4: ClassVar[int]
    LOWRES: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
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
    TORCH_POOLING_FIELD_NUMBER: ClassVar[int]
    PAD_3D_FIELD_NUMBER: ClassVar[int]
    KERNEL_SIZE_3D_FIELD_NUMBER: ClassVar[int]
    STRIDE_3D_FIELD_NUMBER: ClassVar[int]
    AVG_INCLUDE_PAD_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    BLOBS_LR_FIELD_NUMBER: ClassVar[int]
    BLOBS_A_MIN_FIELD_NUMBER: ClassVar[int]
    CEIL_MODE_FIELD_NUMBER: ClassVar[int]
    BIN_SIZE_FIELD_NUMBER: ClassVar[int]
    BIN_H_FIELD_NUMBER: ClassVar[int]
    BIN_W_FIELD_NUMBER: ClassVar[int]
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
    torch_pooling: bool
    pad_3d: RepeatedScalarFieldContainer[int]
    kernel_size_3d: RepeatedScalarFieldContainer[int]
    stride_3d: RepeatedScalarFieldContainer[int]
    avg_include_pad: bool
    axis: int
    blobs_lr: float
    blobs_a_min: float
    ceil_mode: bool
    bin_size: int
    bin_h: int
    bin_w: int
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
        torch_pooling: bool | None = ...,
        pad_3d: Iterable[int] | None = ...,
        kernel_size_3d: Iterable[int] | None = ...,
        stride_3d: Iterable[int] | None = ...,
        avg_include_pad: bool | None = ...,
        axis: int | None = ...,
        blobs_lr: float | None = ...,
        blobs_a_min: float | None = ...,
        ceil_mode: bool | None = ...,
        bin_size: int | None = ...,
        bin_h: int | None = ...,
        bin_w: int | None = ...,
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
        TOPK: ClassVar[int]
    SUM: ClassVar[int]
    ASUM: ClassVar[int]
    SUMSQ: ClassVar[int]
    MEAN: ClassVar[int]
    TOPK: ClassVar[int]
    OPERATION_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    COEFF_FIELD_NUMBER: ClassVar[int]
    K_FIELD_NUMBER: ClassVar[int]
    operation: int
    axis: int
    coeff: float
    k: int
    def __init__(
        self,
        *,
        operation: int | str | None = ...,
        axis: int | None = ...,
        coeff: float | None = ...,
        k: int | None = ...,
    ) -> None: ...

class ReLUParameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
    NEGATIVE_SLOPE_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    FUSE_FIELD_NUMBER: ClassVar[int]
    negative_slope: float
    engine: int
    fuse: bool
    def __init__(
        self,
        *,
        negative_slope: float | None = ...,
        engine: int | str | None = ...,
        fuse: bool | None = ...,
    ) -> None: ...

class ReshapeParameter(Message):
    SHAPE_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    NUM_AXES_FIELD_NUMBER: ClassVar[int]
    PIXELSHUFFLER_FIELD_NUMBER: ClassVar[int]
    @property
    def shape(self) -> BlobShape: ...
    axis: int
    num_axes: int
    pixelshuffler: int
    def __init__(
        self,
        *,
        shape: BlobShape | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        num_axes: int | None = ...,
        pixelshuffler: int | None = ...,
    ) -> None: ...

class ScaleParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    NUM_AXES_FIELD_NUMBER: ClassVar[int]
    FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    MIN_VALUE_FIELD_NUMBER: ClassVar[int]
    MAX_VALUE_FIELD_NUMBER: ClassVar[int]
    axis: int
    num_axes: int
    @property
    def filler(self) -> FillerParameter: ...
    bias_term: bool
    @property
    def bias_filler(self) -> FillerParameter: ...
    min_value: float
    max_value: float
    def __init__(
        self,
        *,
        axis: int | None = ...,
        num_axes: int | None = ...,
        filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_term: bool | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        min_value: float | None = ...,
        max_value: float | None = ...,
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
    HARD_RATIO_FIELD_NUMBER: ClassVar[int]
    CLASS_WEIGHT_FIELD_NUMBER: ClassVar[int]
    HARD_MINING_LABEL_FIELD_NUMBER: ClassVar[int]
    CUTTING_POINT_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_TYPE_FIELD_NUMBER: ClassVar[int]
    LABEL_SMOOTH_FACTOR_FIELD_NUMBER: ClassVar[int]
    SCALING_TEMPERATURE_FIELD_NUMBER: ClassVar[int]
    engine: int
    axis: int
    hard_ratio: float
    class_weight: RepeatedScalarFieldContainer[float]
    hard_mining_label: int
    cutting_point: float
    normalize_type: str
    label_smooth_factor: float
    scaling_temperature: float
    def __init__(
        self,
        *,
        engine: int | str | None = ...,
        axis: int | None = ...,
        hard_ratio: float | None = ...,
        class_weight: Iterable[float] | None = ...,
        hard_mining_label: int | None = ...,
        cutting_point: float | None = ...,
        normalize_type: str | None = ...,
        label_smooth_factor: float | None = ...,
        scaling_temperature: float | None = ...,
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

class LabelMapItem(Message):
    NAME_FIELD_NUMBER: ClassVar[int]
    LABEL_FIELD_NUMBER: ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: ClassVar[int]
    name: str
    label: int
    display_name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
        label: int | None = ...,
        display_name: str | None = ...,
    ) -> None: ...

class LabelMap(Message):
    ITEM_FIELD_NUMBER: ClassVar[int]
    item: RepeatedCompositeFieldContainer[LabelMapItem]
    def __init__(
        self,
        *,
        item: Iterable[LabelMapItem | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class NormalizedBBox(Message):
    XMIN_FIELD_NUMBER: ClassVar[int]
    YMIN_FIELD_NUMBER: ClassVar[int]
    XMAX_FIELD_NUMBER: ClassVar[int]
    YMAX_FIELD_NUMBER: ClassVar[int]
    LABEL_FIELD_NUMBER: ClassVar[int]
    DIFFICULT_FIELD_NUMBER: ClassVar[int]
    SCORE_FIELD_NUMBER: ClassVar[int]
    SIZE_FIELD_NUMBER: ClassVar[int]
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    label: int
    difficult: bool
    score: float
    size: float
    def __init__(
        self,
        *,
        xmin: float | None = ...,
        ymin: float | None = ...,
        xmax: float | None = ...,
        ymax: float | None = ...,
        label: int | None = ...,
        difficult: bool | None = ...,
        score: float | None = ...,
        size: float | None = ...,
    ) -> None: ...

class LaneInfo(Message):
    X_FIELD_NUMBER: ClassVar[int]
    Y_FIELD_NUMBER: ClassVar[int]
    ID_FIELD_NUMBER: ClassVar[int]
    x: float
    y: float
    id: int
    def __init__(
        self,
        *,
        x: float | None = ...,
        y: float | None = ...,
        id: int | None = ...,
    ) -> None: ...

class Annotation(Message):
    INSTANCE_ID_FIELD_NUMBER: ClassVar[int]
    BBOX_FIELD_NUMBER: ClassVar[int]
    LANES_FIELD_NUMBER: ClassVar[int]
    instance_id: int
    @property
    def bbox(self) -> NormalizedBBox: ...
    @property
    def lanes(self) -> LaneInfo: ...
    def __init__(
        self,
        *,
        instance_id: int | None = ...,
        bbox: NormalizedBBox | Mapping[str, Any] | None = ...,
        lanes: LaneInfo | Mapping[str, Any] | None = ...,
    ) -> None: ...

class AnnotationGroup(Message):
    GROUP_LABEL_FIELD_NUMBER: ClassVar[int]
    ANNOTATION_FIELD_NUMBER: ClassVar[int]
    group_label: int
    annotation: RepeatedCompositeFieldContainer[Annotation]
    def __init__(
        self,
        *,
        group_label: int | None = ...,
        annotation: Iterable[Annotation | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class AnnotatedDatum(Message):
    class AnnotationType(int, metaclass=EnumTypeWrapper):
        BBOX: ClassVar[int]
        BBOXandSeg: ClassVar[int]
        LANE: ClassVar[int]
    BBOX: ClassVar[int]
    BBOXandSeg: ClassVar[int]
    LANE: ClassVar[int]
    DATUM_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    ANNOTATION_GROUP_FIELD_NUMBER: ClassVar[int]
    @property
    def datum(self) -> Datum: ...
    type: int
    annotation_group: RepeatedCompositeFieldContainer[AnnotationGroup]
    def __init__(
        self,
        *,
        datum: Datum | Mapping[str, Any] | None = ...,
        type: int | str | None = ...,
        annotation_group: Iterable[AnnotationGroup | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class YoloSegItem(Message):
    NAME_FIELD_NUMBER: ClassVar[int]
    LABEL_ID_FIELD_NUMBER: ClassVar[int]
    LABEL_FIELD_NUMBER: ClassVar[int]
    R_FIELD_NUMBER: ClassVar[int]
    G_FIELD_NUMBER: ClassVar[int]
    B_FIELD_NUMBER: ClassVar[int]
    name: str
    label_id: int
    label: int
    r: int
    g: int
    b: int
    def __init__(
        self,
        *,
        name: str | None = ...,
        label_id: int | None = ...,
        label: int | None = ...,
        r: int | None = ...,
        g: int | None = ...,
        b: int | None = ...,
    ) -> None: ...

class YoloSegLabel(Message):
    ITEM_FIELD_NUMBER: ClassVar[int]
    item: RepeatedCompositeFieldContainer[YoloSegItem]
    def __init__(
        self,
        *,
        item: Iterable[YoloSegItem | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class SparseDatum(Message):
    SIZE_FIELD_NUMBER: ClassVar[int]
    NNZ_FIELD_NUMBER: ClassVar[int]
    INDICES_FIELD_NUMBER: ClassVar[int]
    LABEL_FIELD_NUMBER: ClassVar[int]
    DATA_FIELD_NUMBER: ClassVar[int]
    size: int
    nnz: int
    indices: RepeatedScalarFieldContainer[int]
    label: float
    data: RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        *,
        size: int | None = ...,
        nnz: int | None = ...,
        indices: Iterable[int] | None = ...,
        label: float | None = ...,
        data: Iterable[float] | None = ...,
    ) -> None: ...

class AccumParameter(Message):
    TOP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    TOP_WIDTH_FIELD_NUMBER: ClassVar[int]
    SIZE_DIVISIBLE_BY_FIELD_NUMBER: ClassVar[int]
    HAVE_REFERENCE_FIELD_NUMBER: ClassVar[int]
    top_height: int
    top_width: int
    size_divisible_by: int
    have_reference: bool
    def __init__(
        self,
        *,
        top_height: int | None = ...,
        top_width: int | None = ...,
        size_divisible_by: int | None = ...,
        have_reference: bool | None = ...,
    ) -> None: ...

class AdaptiveBiasChannelParameter(Message):
    NUM_ITER_FIELD_NUMBER: ClassVar[int]
    BG_PORTION_FIELD_NUMBER: ClassVar[int]
    FG_PORTION_FIELD_NUMBER: ClassVar[int]
    SUPPRESS_OTHERS_FIELD_NUMBER: ClassVar[int]
    MARGIN_OTHERS_FIELD_NUMBER: ClassVar[int]
    num_iter: int
    bg_portion: float
    fg_portion: float
    suppress_others: bool
    margin_others: float
    def __init__(
        self,
        *,
        num_iter: int | None = ...,
        bg_portion: float | None = ...,
        fg_portion: float | None = ...,
        suppress_others: bool | None = ...,
        margin_others: float | None = ...,
    ) -> None: ...

class AnnotatedDataParameter(Message):
    BATCH_SAMPLER_FIELD_NUMBER: ClassVar[int]
    LABEL_MAP_FILE_FIELD_NUMBER: ClassVar[int]
    ANNO_TYPE_FIELD_NUMBER: ClassVar[int]
    YOLO_DATA_TYPE_FIELD_NUMBER: ClassVar[int]
    YOLO_DATA_JITTER_FIELD_NUMBER: ClassVar[int]
    TRAIN_DIFFCULT_FIELD_NUMBER: ClassVar[int]
    SINGLE_CLASS_FIELD_NUMBER: ClassVar[int]
    SEG_SCALES_FIELD_NUMBER: ClassVar[int]
    SEG_RESIZE_WIDTH_FIELD_NUMBER: ClassVar[int]
    SEG_RESIZE_HEIGHT_FIELD_NUMBER: ClassVar[int]
    DIFFICULT_LABEL_WARMUP_FIELD_NUMBER: ClassVar[int]
    batch_sampler: RepeatedCompositeFieldContainer[BatchSampler]
    label_map_file: str
    anno_type: int
    yolo_data_type: int
    yolo_data_jitter: float
    train_diffcult: bool
    single_class: bool
    seg_scales: int
    seg_resize_width: int
    seg_resize_height: int
    difficult_label_warmup: bool
    def __init__(
        self,
        *,
        batch_sampler: Iterable[BatchSampler | Mapping[str, Any]] | None = ...,
        label_map_file: str | None = ...,
        anno_type: int | str | None = ...,
        yolo_data_type: int | None = ...,
        yolo_data_jitter: float | None = ...,
        train_diffcult: bool | None = ...,
        single_class: bool | None = ...,
        seg_scales: int | None = ...,
        seg_resize_width: int | None = ...,
        seg_resize_height: int | None = ...,
        difficult_label_warmup: bool | None = ...,
    ) -> None: ...

class AugmentationCoeff(Message):
    MIRROR_FIELD_NUMBER: ClassVar[int]
    DX_FIELD_NUMBER: ClassVar[int]
    DY_FIELD_NUMBER: ClassVar[int]
    ANGLE_FIELD_NUMBER: ClassVar[int]
    ZOOM_X_FIELD_NUMBER: ClassVar[int]
    ZOOM_Y_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    BRIGHTNESS_FIELD_NUMBER: ClassVar[int]
    CONTRAST_FIELD_NUMBER: ClassVar[int]
    COLOR1_FIELD_NUMBER: ClassVar[int]
    COLOR2_FIELD_NUMBER: ClassVar[int]
    COLOR3_FIELD_NUMBER: ClassVar[int]
    POW_NOMEAN0_FIELD_NUMBER: ClassVar[int]
    POW_NOMEAN1_FIELD_NUMBER: ClassVar[int]
    POW_NOMEAN2_FIELD_NUMBER: ClassVar[int]
    ADD_NOMEAN0_FIELD_NUMBER: ClassVar[int]
    ADD_NOMEAN1_FIELD_NUMBER: ClassVar[int]
    ADD_NOMEAN2_FIELD_NUMBER: ClassVar[int]
    MULT_NOMEAN0_FIELD_NUMBER: ClassVar[int]
    MULT_NOMEAN1_FIELD_NUMBER: ClassVar[int]
    MULT_NOMEAN2_FIELD_NUMBER: ClassVar[int]
    POW_WITHMEAN0_FIELD_NUMBER: ClassVar[int]
    POW_WITHMEAN1_FIELD_NUMBER: ClassVar[int]
    POW_WITHMEAN2_FIELD_NUMBER: ClassVar[int]
    ADD_WITHMEAN0_FIELD_NUMBER: ClassVar[int]
    ADD_WITHMEAN1_FIELD_NUMBER: ClassVar[int]
    ADD_WITHMEAN2_FIELD_NUMBER: ClassVar[int]
    MULT_WITHMEAN0_FIELD_NUMBER: ClassVar[int]
    MULT_WITHMEAN1_FIELD_NUMBER: ClassVar[int]
    MULT_WITHMEAN2_FIELD_NUMBER: ClassVar[int]
    LMULT_POW_FIELD_NUMBER: ClassVar[int]
    LMULT_ADD_FIELD_NUMBER: ClassVar[int]
    LMULT_MULT_FIELD_NUMBER: ClassVar[int]
    COL_ANGLE_FIELD_NUMBER: ClassVar[int]
    FOG_AMOUNT_FIELD_NUMBER: ClassVar[int]
    FOG_SIZE_FIELD_NUMBER: ClassVar[int]
    MOTION_BLUR_ANGLE_FIELD_NUMBER: ClassVar[int]
    MOTION_BLUR_SIZE_FIELD_NUMBER: ClassVar[int]
    SHADOW_ANGLE_FIELD_NUMBER: ClassVar[int]
    SHADOW_DISTANCE_FIELD_NUMBER: ClassVar[int]
    SHADOW_STRENGTH_FIELD_NUMBER: ClassVar[int]
    NOISE_FIELD_NUMBER: ClassVar[int]
    mirror: float
    dx: float
    dy: float
    angle: float
    zoom_x: float
    zoom_y: float
    gamma: float
    brightness: float
    contrast: float
    color1: float
    color2: float
    color3: float
    pow_nomean0: float
    pow_nomean1: float
    pow_nomean2: float
    add_nomean0: float
    add_nomean1: float
    add_nomean2: float
    mult_nomean0: float
    mult_nomean1: float
    mult_nomean2: float
    pow_withmean0: float
    pow_withmean1: float
    pow_withmean2: float
    add_withmean0: float
    add_withmean1: float
    add_withmean2: float
    mult_withmean0: float
    mult_withmean1: float
    mult_withmean2: float
    lmult_pow: float
    lmult_add: float
    lmult_mult: float
    col_angle: float
    fog_amount: float
    fog_size: float
    motion_blur_angle: float
    motion_blur_size: float
    shadow_angle: float
    shadow_distance: float
    shadow_strength: float
    noise: float
    def __init__(
        self,
        *,
        mirror: float | None = ...,
        dx: float | None = ...,
        dy: float | None = ...,
        angle: float | None = ...,
        zoom_x: float | None = ...,
        zoom_y: float | None = ...,
        gamma: float | None = ...,
        brightness: float | None = ...,
        contrast: float | None = ...,
        color1: float | None = ...,
        color2: float | None = ...,
        color3: float | None = ...,
        pow_nomean0: float | None = ...,
        pow_nomean1: float | None = ...,
        pow_nomean2: float | None = ...,
        add_nomean0: float | None = ...,
        add_nomean1: float | None = ...,
        add_nomean2: float | None = ...,
        mult_nomean0: float | None = ...,
        mult_nomean1: float | None = ...,
        mult_nomean2: float | None = ...,
        pow_withmean0: float | None = ...,
        pow_withmean1: float | None = ...,
        pow_withmean2: float | None = ...,
        add_withmean0: float | None = ...,
        add_withmean1: float | None = ...,
        add_withmean2: float | None = ...,
        mult_withmean0: float | None = ...,
        mult_withmean1: float | None = ...,
        mult_withmean2: float | None = ...,
        lmult_pow: float | None = ...,
        lmult_add: float | None = ...,
        lmult_mult: float | None = ...,
        col_angle: float | None = ...,
        fog_amount: float | None = ...,
        fog_size: float | None = ...,
        motion_blur_angle: float | None = ...,
        motion_blur_size: float | None = ...,
        shadow_angle: float | None = ...,
        shadow_distance: float | None = ...,
        shadow_strength: float | None = ...,
        noise: float | None = ...,
    ) -> None: ...

class AugmentationParameter(Message):
    CROP_WIDTH_FIELD_NUMBER: ClassVar[int]
    CROP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    WRITE_AUGMENTED_FIELD_NUMBER: ClassVar[int]
    MAX_MULTIPLIER_FIELD_NUMBER: ClassVar[int]
    AUGMENT_DURING_TEST_FIELD_NUMBER: ClassVar[int]
    RECOMPUTE_MEAN_FIELD_NUMBER: ClassVar[int]
    WRITE_MEAN_FIELD_NUMBER: ClassVar[int]
    MEAN_PER_PIXEL_FIELD_NUMBER: ClassVar[int]
    MEAN_FIELD_NUMBER: ClassVar[int]
    MODE_FIELD_NUMBER: ClassVar[int]
    BOTTOMWIDTH_FIELD_NUMBER: ClassVar[int]
    BOTTOMHEIGHT_FIELD_NUMBER: ClassVar[int]
    NUM_FIELD_NUMBER: ClassVar[int]
    CHROMATIC_EIGVEC_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    TRANSLATE_FIELD_NUMBER: ClassVar[int]
    ROTATE_FIELD_NUMBER: ClassVar[int]
    ZOOM_FIELD_NUMBER: ClassVar[int]
    SQUEEZE_FIELD_NUMBER: ClassVar[int]
    TRANSLATE_X_FIELD_NUMBER: ClassVar[int]
    TRANSLATE_Y_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    BRIGHTNESS_FIELD_NUMBER: ClassVar[int]
    CONTRAST_FIELD_NUMBER: ClassVar[int]
    COLOR_FIELD_NUMBER: ClassVar[int]
    LMULT_POW_FIELD_NUMBER: ClassVar[int]
    LMULT_MULT_FIELD_NUMBER: ClassVar[int]
    LMULT_ADD_FIELD_NUMBER: ClassVar[int]
    SAT_POW_FIELD_NUMBER: ClassVar[int]
    SAT_MULT_FIELD_NUMBER: ClassVar[int]
    SAT_ADD_FIELD_NUMBER: ClassVar[int]
    COL_POW_FIELD_NUMBER: ClassVar[int]
    COL_MULT_FIELD_NUMBER: ClassVar[int]
    COL_ADD_FIELD_NUMBER: ClassVar[int]
    LADD_POW_FIELD_NUMBER: ClassVar[int]
    LADD_MULT_FIELD_NUMBER: ClassVar[int]
    LADD_ADD_FIELD_NUMBER: ClassVar[int]
    COL_ROTATE_FIELD_NUMBER: ClassVar[int]
    FOG_AMOUNT_FIELD_NUMBER: ClassVar[int]
    FOG_SIZE_FIELD_NUMBER: ClassVar[int]
    MOTION_BLUR_ANGLE_FIELD_NUMBER: ClassVar[int]
    MOTION_BLUR_SIZE_FIELD_NUMBER: ClassVar[int]
    SHADOW_ANGLE_FIELD_NUMBER: ClassVar[int]
    SHADOW_DISTANCE_FIELD_NUMBER: ClassVar[int]
    SHADOW_STRENGTH_FIELD_NUMBER: ClassVar[int]
    NOISE_FIELD_NUMBER: ClassVar[int]
    crop_width: int
    crop_height: int
    write_augmented: str
    max_multiplier: float
    augment_during_test: bool
    recompute_mean: int
    write_mean: str
    mean_per_pixel: bool
    mean: RepeatedScalarFieldContainer[float]
    mode: str
    bottomwidth: int
    bottomheight: int
    num: int
    chromatic_eigvec: RepeatedScalarFieldContainer[float]
    @property
    def mirror(self) -> RandomGeneratorParameter: ...
    @property
    def translate(self) -> RandomGeneratorParameter: ...
    @property
    def rotate(self) -> RandomGeneratorParameter: ...
    @property
    def zoom(self) -> RandomGeneratorParameter: ...
    @property
    def squeeze(self) -> RandomGeneratorParameter: ...
    @property
    def translate_x(self) -> RandomGeneratorParameter: ...
    @property
    def translate_y(self) -> RandomGeneratorParameter: ...
    @property
    def gamma(self) -> RandomGeneratorParameter: ...
    @property
    def brightness(self) -> RandomGeneratorParameter: ...
    @property
    def contrast(self) -> RandomGeneratorParameter: ...
    @property
    def color(self) -> RandomGeneratorParameter: ...
    @property
    def lmult_pow(self) -> RandomGeneratorParameter: ...
    @property
    def lmult_mult(self) -> RandomGeneratorParameter: ...
    @property
    def lmult_add(self) -> RandomGeneratorParameter: ...
    @property
    def sat_pow(self) -> RandomGeneratorParameter: ...
    @property
    def sat_mult(self) -> RandomGeneratorParameter: ...
    @property
    def sat_add(self) -> RandomGeneratorParameter: ...
    @property
    def col_pow(self) -> RandomGeneratorParameter: ...
    @property
    def col_mult(self) -> RandomGeneratorParameter: ...
    @property
    def col_add(self) -> RandomGeneratorParameter: ...
    @property
    def ladd_pow(self) -> RandomGeneratorParameter: ...
    @property
    def ladd_mult(self) -> RandomGeneratorParameter: ...
    @property
    def ladd_add(self) -> RandomGeneratorParameter: ...
    @property
    def col_rotate(self) -> RandomGeneratorParameter: ...
    @property
    def fog_amount(self) -> RandomGeneratorParameter: ...
    @property
    def fog_size(self) -> RandomGeneratorParameter: ...
    @property
    def motion_blur_angle(self) -> RandomGeneratorParameter: ...
    @property
    def motion_blur_size(self) -> RandomGeneratorParameter: ...
    @property
    def shadow_angle(self) -> RandomGeneratorParameter: ...
    @property
    def shadow_distance(self) -> RandomGeneratorParameter: ...
    @property
    def shadow_strength(self) -> RandomGeneratorParameter: ...
    @property
    def noise(self) -> RandomGeneratorParameter: ...
    def __init__(
        self,
        *,
        crop_width: int | None = ...,
        crop_height: int | None = ...,
        write_augmented: str | None = ...,
        max_multiplier: float | None = ...,
        augment_during_test: bool | None = ...,
        recompute_mean: int | None = ...,
        write_mean: str | None = ...,
        mean_per_pixel: bool | None = ...,
        mean: Iterable[float] | None = ...,
        mode: str | None = ...,
        bottomwidth: int | None = ...,
        bottomheight: int | None = ...,
        num: int | None = ...,
        chromatic_eigvec: Iterable[float] | None = ...,
        mirror: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        translate: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        rotate: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        zoom: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        squeeze: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        translate_x: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        translate_y: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        gamma: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        brightness: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        contrast: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        color: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        lmult_pow: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        lmult_mult: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        lmult_add: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        sat_pow: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        sat_mult: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        sat_add: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        col_pow: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        col_mult: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        col_add: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        ladd_pow: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        ladd_mult: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        ladd_add: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        col_rotate: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        fog_amount: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        fog_size: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        motion_blur_angle: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        motion_blur_size: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        shadow_angle: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        shadow_distance: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        shadow_strength: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        noise: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class BatchContrastiveParameter(Message):
    POSITIVE_MARGIN_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_MARGIN_FIELD_NUMBER: ClassVar[int]
    POSITIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    MAX_ONLY_FIELD_NUMBER: ClassVar[int]
    positive_margin: float
    negative_margin: float
    positive_weight: float
    negative_weight: float
    max_only: bool
    def __init__(
        self,
        *,
        positive_margin: float | None = ...,
        negative_margin: float | None = ...,
        positive_weight: float | None = ...,
        negative_weight: float | None = ...,
        max_only: bool | None = ...,
    ) -> None: ...

class BatchReductionParameter(Message):
    LEVEL_FIELD_NUMBER: ClassVar[int]
    REDUCTION_PARAM_FIELD_NUMBER: ClassVar[int]
    POS_FIELD_NUMBER: ClassVar[int]
    level: RepeatedScalarFieldContainer[int]
    @property
    def reduction_param(self) -> ReductionParameter: ...
    pos: bool
    def __init__(
        self,
        *,
        level: Iterable[int] | None = ...,
        reduction_param: ReductionParameter | Mapping[str, Any] | None = ...,
        pos: bool | None = ...,
    ) -> None: ...

class BatchSampler(Message):
    USE_ORIGINAL_IMAGE_FIELD_NUMBER: ClassVar[int]
    SAMPLER_FIELD_NUMBER: ClassVar[int]
    SAMPLE_CONSTRAINT_FIELD_NUMBER: ClassVar[int]
    MAX_SAMPLE_FIELD_NUMBER: ClassVar[int]
    MAX_TRIALS_FIELD_NUMBER: ClassVar[int]
    use_original_image: bool
    @property
    def sampler(self) -> Sampler: ...
    @property
    def sample_constraint(self) -> SampleConstraint: ...
    max_sample: int
    max_trials: int
    def __init__(
        self,
        *,
        use_original_image: bool | None = ...,
        sampler: Sampler | Mapping[str, Any] | None = ...,
        sample_constraint: SampleConstraint | Mapping[str, Any] | None = ...,
        max_sample: int | None = ...,
        max_trials: int | None = ...,
    ) -> None: ...

class BBoxRegParameter(Message):
    BBOX_MEAN_FIELD_NUMBER: ClassVar[int]
    BBOX_STD_FIELD_NUMBER: ClassVar[int]
    CLS_AWARE_FIELD_NUMBER: ClassVar[int]
    bbox_mean: RepeatedScalarFieldContainer[float]
    bbox_std: RepeatedScalarFieldContainer[float]
    cls_aware: bool
    def __init__(
        self,
        *,
        bbox_mean: Iterable[float] | None = ...,
        bbox_std: Iterable[float] | None = ...,
        cls_aware: bool | None = ...,
    ) -> None: ...

class BiasChannelParameter(Message):
    class LabelType(int, metaclass=EnumTypeWrapper):
        IMAGE: ClassVar[int]
        PIXEL: ClassVar[int]
    IMAGE: ClassVar[int]
    PIXEL: ClassVar[int]
    BG_BIAS_FIELD_NUMBER: ClassVar[int]
    FG_BIAS_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    LABEL_TYPE_FIELD_NUMBER: ClassVar[int]
    BACKGROUND_LABEL_FIELD_NUMBER: ClassVar[int]
    bg_bias: float
    fg_bias: float
    ignore_label: RepeatedScalarFieldContainer[int]
    label_type: int
    background_label: int
    def __init__(
        self,
        *,
        bg_bias: float | None = ...,
        fg_bias: float | None = ...,
        ignore_label: Iterable[int] | None = ...,
        label_type: int | str | None = ...,
        background_label: int | None = ...,
    ) -> None: ...

class BinaryAccuracyParameter(Message):
    class AccuracyMode(int, metaclass=EnumTypeWrapper):
        Accuracy: ClassVar[int]
        Precision: ClassVar[int]
        Recall: ClassVar[int]
        F_measure: ClassVar[int]
    Accuracy: ClassVar[int]
    Precision: ClassVar[int]
    Recall: ClassVar[int]
    F_measure: ClassVar[int]
    ACCURACY_MODE_FIELD_NUMBER: ClassVar[int]
    accuracy_mode: int
    def __init__(
        self,
        *,
        accuracy_mode: int | str | None = ...,
    ) -> None: ...

class BlackAugmentationParameter(Message):
    BLACK_FIELD_NUMBER: ClassVar[int]
    BORDER_FIELD_NUMBER: ClassVar[int]
    @property
    def black(self) -> RandomGeneratorParameter: ...
    @property
    def border(self) -> RandomGeneratorParameter: ...
    def __init__(
        self,
        *,
        black: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
        border: RandomGeneratorParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class BNParameter(Message):
    class BNMode(int, metaclass=EnumTypeWrapper):
        LEARN: ClassVar[int]
        INFERENCE: ClassVar[int]
    LEARN: ClassVar[int]
    INFERENCE: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    BN_MODE_FIELD_NUMBER: ClassVar[int]
    SCALE_FILLER_FIELD_NUMBER: ClassVar[int]
    SHIFT_FILLER_FIELD_NUMBER: ClassVar[int]
    SLOPE_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    MOMENTUM_FIELD_NUMBER: ClassVar[int]
    EPS_FIELD_NUMBER: ClassVar[int]
    FROZEN_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    VAR_EPS_FIELD_NUMBER: ClassVar[int]
    MOVING_AVERAGE_FIELD_NUMBER: ClassVar[int]
    DECAY_FIELD_NUMBER: ClassVar[int]
    ACROSS_SPATIAL_FIELD_NUMBER: ClassVar[int]
    bn_mode: int
    @property
    def scale_filler(self) -> FillerParameter: ...
    @property
    def shift_filler(self) -> FillerParameter: ...
    @property
    def slope_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    momentum: float
    eps: float
    frozen: bool
    engine: int
    var_eps: float
    moving_average: bool
    decay: float
    across_spatial: bool
    def __init__(
        self,
        *,
        bn_mode: int | str | None = ...,
        scale_filler: FillerParameter | Mapping[str, Any] | None = ...,
        shift_filler: FillerParameter | Mapping[str, Any] | None = ...,
        slope_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        momentum: float | None = ...,
        eps: float | None = ...,
        frozen: bool | None = ...,
        engine: int | str | None = ...,
        var_eps: float | None = ...,
        moving_average: bool | None = ...,
        decay: float | None = ...,
        across_spatial: bool | None = ...,
    ) -> None: ...

class BoxAnnotatorOHEMParameter(Message):
    ROI_PER_IMG_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    roi_per_img: int
    ignore_label: int
    def __init__(
        self,
        *,
        roi_per_img: int | None = ...,
        ignore_label: int | None = ...,
    ) -> None: ...

class BoxesObjParameter(Message):
    CLS_THRESH_FIELD_NUMBER: ClassVar[int]
    NMS_FIELD_NUMBER: ClassVar[int]
    BOX_VOTE_FIELD_NUMBER: ClassVar[int]
    CLS_INDEXES_FIELD_NUMBER: ClassVar[int]
    cls_thresh: float
    nms: float
    box_vote: bool
    cls_indexes: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        cls_thresh: float | None = ...,
        nms: float | None = ...,
        box_vote: bool | None = ...,
        cls_indexes: Iterable[int] | None = ...,
    ) -> None: ...

class BoxGroupOutputParameter(Message):
    FG_THR_FIELD_NUMBER: ClassVar[int]
    IOU_THR_FIELD_NUMBER: ClassVar[int]
    NMS_TYPE_FIELD_NUMBER: ClassVar[int]
    BOX_GROUP_PARAM_FIELD_NUMBER: ClassVar[int]
    FIELD_WHR_FIELD_NUMBER: ClassVar[int]
    FIELD_XYR_FIELD_NUMBER: ClassVar[int]
    MAX_NMS_NUM_FIELD_NUMBER: ClassVar[int]
    MAX_POST_NMS_NUM_FIELD_NUMBER: ClassVar[int]
    MIN_SIZE_FIELD_NUMBER: ClassVar[int]
    fg_thr: float
    iou_thr: float
    nms_type: str
    box_group_param: RepeatedCompositeFieldContainer[BoxGroupParameter]
    field_whr: float
    field_xyr: float
    max_nms_num: int
    max_post_nms_num: int
    min_size: float
    def __init__(
        self,
        *,
        fg_thr: float | None = ...,
        iou_thr: float | None = ...,
        nms_type: str | None = ...,
        box_group_param: Iterable[BoxGroupParameter | Mapping[str, Any]] | None = ...,
        field_whr: float | None = ...,
        field_xyr: float | None = ...,
        max_nms_num: int | None = ...,
        max_post_nms_num: int | None = ...,
        min_size: float | None = ...,
    ) -> None: ...

class BoxGroupParameter(Message):
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    field_h: RepeatedScalarFieldContainer[int]
    field_w: RepeatedScalarFieldContainer[int]
    stride: int
    def __init__(
        self,
        *,
        field_h: Iterable[int] | None = ...,
        field_w: Iterable[int] | None = ...,
        stride: int | None = ...,
    ) -> None: ...

class BoxOutputParameter(Message):
    FG_THR_FIELD_NUMBER: ClassVar[int]
    IOU_THR_FIELD_NUMBER: ClassVar[int]
    NMS_TYPE_FIELD_NUMBER: ClassVar[int]
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    DOWNSAMPLE_RATE_FIELD_NUMBER: ClassVar[int]
    FIELD_WHR_FIELD_NUMBER: ClassVar[int]
    FIELD_XYR_FIELD_NUMBER: ClassVar[int]
    MAX_NMS_NUM_FIELD_NUMBER: ClassVar[int]
    MAX_POST_NMS_NUM_FIELD_NUMBER: ClassVar[int]
    MIN_SIZE_FIELD_NUMBER: ClassVar[int]
    fg_thr: float
    iou_thr: float
    nms_type: str
    field_h: RepeatedScalarFieldContainer[int]
    field_w: RepeatedScalarFieldContainer[int]
    downsample_rate: RepeatedScalarFieldContainer[int]
    field_whr: float
    field_xyr: float
    max_nms_num: int
    max_post_nms_num: int
    min_size: float
    def __init__(
        self,
        *,
        fg_thr: float | None = ...,
        iou_thr: float | None = ...,
        nms_type: str | None = ...,
        field_h: Iterable[int] | None = ...,
        field_w: Iterable[int] | None = ...,
        downsample_rate: Iterable[int] | None = ...,
        field_whr: float | None = ...,
        field_xyr: float | None = ...,
        max_nms_num: int | None = ...,
        max_post_nms_num: int | None = ...,
        min_size: float | None = ...,
    ) -> None: ...

class CensorLabelParameter(Message):
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    ignore_label: int
    def __init__(
        self,
        *,
        ignore_label: int | None = ...,
    ) -> None: ...

class CenterLossParameter(Message):
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    CENTER_FILLER_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    DISTANCE_TYPE_FIELD_NUMBER: ClassVar[int]
    num_output: int
    @property
    def center_filler(self) -> FillerParameter: ...
    axis: int
    distance_type: str
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        center_filler: FillerParameter | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        distance_type: str | None = ...,
    ) -> None: ...

class ChannelAggregatorParameter(Message):
    LABEL_MAP_FILE_FIELD_NUMBER: ClassVar[int]
    label_map_file: str
    def __init__(
        self,
        *,
        label_map_file: str | None = ...,
    ) -> None: ...

class ChannelScaleParameter(Message):
    DO_FORWARD_FIELD_NUMBER: ClassVar[int]
    DO_BACKWARD_FEATURE_FIELD_NUMBER: ClassVar[int]
    DO_BACKWARD_SCALE_FIELD_NUMBER: ClassVar[int]
    GLOBAL_SCALE_FIELD_NUMBER: ClassVar[int]
    MAX_GLOBAL_SCALE_FIELD_NUMBER: ClassVar[int]
    MIN_GLOBAL_SCALE_FIELD_NUMBER: ClassVar[int]
    INIT_GLOBAL_SCALE_FIELD_NUMBER: ClassVar[int]
    do_forward: bool
    do_backward_feature: bool
    do_backward_scale: bool
    global_scale: bool
    max_global_scale: float
    min_global_scale: float
    init_global_scale: float
    def __init__(
        self,
        *,
        do_forward: bool | None = ...,
        do_backward_feature: bool | None = ...,
        do_backward_scale: bool | None = ...,
        global_scale: bool | None = ...,
        max_global_scale: float | None = ...,
        min_global_scale: float | None = ...,
        init_global_scale: float | None = ...,
    ) -> None: ...

class CoeffScheduleParameter(Message):
    HALF_LIFE_FIELD_NUMBER: ClassVar[int]
    INITIAL_COEFF_FIELD_NUMBER: ClassVar[int]
    FINAL_COEFF_FIELD_NUMBER: ClassVar[int]
    half_life: float
    initial_coeff: float
    final_coeff: float
    def __init__(
        self,
        *,
        half_life: float | None = ...,
        initial_coeff: float | None = ...,
        final_coeff: float | None = ...,
    ) -> None: ...

class ColorConvParameter(Message):
    class ColorSpace(int, metaclass=EnumTypeWrapper):
        BGR: ClassVar[int]
        RGB: ClassVar[int]
        XYZ: ClassVar[int]
        Lab: ClassVar[int]
        Gray: ClassVar[int]
    BGR: ClassVar[int]
    RGB: ClassVar[int]
    XYZ: ClassVar[int]
    Lab: ClassVar[int]
    Gray: ClassVar[int]
    INPUT_FIELD_NUMBER: ClassVar[int]
    OUTPUT_FIELD_NUMBER: ClassVar[int]
    input: int
    output: int
    def __init__(
        self,
        *,
        input: int | str | None = ...,
        output: int | str | None = ...,
    ) -> None: ...

class CompileNetState(Message):
    IS_INIT_FIELD_NUMBER: ClassVar[int]
    BN_SCALE_REMOVE_FIELD_NUMBER: ClassVar[int]
    BN_SCALE_MERGE_FIELD_NUMBER: ClassVar[int]
    KEPT_BN_LAYERS_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_CONV_NAMES_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_CONV_INDEXES_FIELD_NUMBER: ClassVar[int]
    is_init: bool
    bn_scale_remove: bool
    bn_scale_merge: bool
    kept_bn_layers: RepeatedScalarFieldContainer[str]
    negative_conv_names: RepeatedScalarFieldContainer[str]
    negative_conv_indexes: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        is_init: bool | None = ...,
        bn_scale_remove: bool | None = ...,
        bn_scale_merge: bool | None = ...,
        kept_bn_layers: Iterable[str] | None = ...,
        negative_conv_names: Iterable[str] | None = ...,
        negative_conv_indexes: Iterable[int] | None = ...,
    ) -> None: ...

class ConfidencePenaltyLossParameter(Message):
    BETA_FIELD_NUMBER: ClassVar[int]
    beta: float
    def __init__(
        self,
        *,
        beta: float | None = ...,
    ) -> None: ...

class ContinuationIndicatorParameter(Message):
    TIME_STEP_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    time_step: int
    axis: int
    batch_size: int
    def __init__(
        self,
        *,
        time_step: int | None = ...,
        axis: int | None = ...,
        batch_size: int | None = ...,
    ) -> None: ...

class CorrelationParameter(Message):
    class CorrelationType(int, metaclass=EnumTypeWrapper):
        MULTIPLY: ClassVar[int]
        SUBTRACT: ClassVar[int]
    MULTIPLY: ClassVar[int]
    SUBTRACT: ClassVar[int]
    PAD_FIELD_NUMBER: ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: ClassVar[int]
    MAX_DISPLACEMENT_FIELD_NUMBER: ClassVar[int]
    STRIDE_1_FIELD_NUMBER: ClassVar[int]
    STRIDE_2_FIELD_NUMBER: ClassVar[int]
    SINGLE_DIRECTION_FIELD_NUMBER: ClassVar[int]
    DO_ABS_FIELD_NUMBER: ClassVar[int]
    CORRELATION_TYPE_FIELD_NUMBER: ClassVar[int]
    pad: int
    kernel_size: int
    max_displacement: int
    stride_1: int
    stride_2: int
    single_direction: int
    do_abs: bool
    correlation_type: int
    def __init__(
        self,
        *,
        pad: int | None = ...,
        kernel_size: int | None = ...,
        max_displacement: int | None = ...,
        stride_1: int | None = ...,
        stride_2: int | None = ...,
        single_direction: int | None = ...,
        do_abs: bool | None = ...,
        correlation_type: int | str | None = ...,
    ) -> None: ...

class CPMTransformationParameter(Message):
    SCALE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    MEAN_VALUE_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    SCALE_CVG_FIELD_NUMBER: ClassVar[int]
    MAX_CVG_LEN_FIELD_NUMBER: ClassVar[int]
    MIN_CVG_LEN_FIELD_NUMBER: ClassVar[int]
    OPAQUE_COVERAGE_FIELD_NUMBER: ClassVar[int]
    COVERAGE_FIELD_NUMBER: ClassVar[int]
    FLIP_PROB_FIELD_NUMBER: ClassVar[int]
    MAX_ROTATE_DEGREE_FIELD_NUMBER: ClassVar[int]
    VISUALIZE_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_X_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_Y_FIELD_NUMBER: ClassVar[int]
    SCALE_PROB_FIELD_NUMBER: ClassVar[int]
    SCALE_MIN_FIELD_NUMBER: ClassVar[int]
    SCALE_MAX_FIELD_NUMBER: ClassVar[int]
    BBOX_NORM_FACTOR_FIELD_NUMBER: ClassVar[int]
    IMG_HEADER_FIELD_NUMBER: ClassVar[int]
    FORCE_COLOR_FIELD_NUMBER: ClassVar[int]
    FORCE_GRAY_FIELD_NUMBER: ClassVar[int]
    TARGET_DIST_FIELD_NUMBER: ClassVar[int]
    CENTER_PERTERB_MAX_FIELD_NUMBER: ClassVar[int]
    SIGMA_FIELD_NUMBER: ClassVar[int]
    SIGMA_CENTER_FIELD_NUMBER: ClassVar[int]
    CLAHE_TILE_SIZE_FIELD_NUMBER: ClassVar[int]
    CLAHE_CLIP_LIMIT_FIELD_NUMBER: ClassVar[int]
    DO_CLAHE_FIELD_NUMBER: ClassVar[int]
    NUM_PARTS_FIELD_NUMBER: ClassVar[int]
    NUM_TOTAL_AUGS_FIELD_NUMBER: ClassVar[int]
    AUG_WAY_FIELD_NUMBER: ClassVar[int]
    GRAY_FIELD_NUMBER: ClassVar[int]
    NP_IN_LMDB_FIELD_NUMBER: ClassVar[int]
    TRANSFORM_BODY_JOINT_FIELD_NUMBER: ClassVar[int]
    scale: float
    mirror: bool
    crop_size: int
    mean_file: str
    mean_value: RepeatedScalarFieldContainer[float]
    stride: int
    scale_cvg: float
    max_cvg_len: int
    min_cvg_len: int
    opaque_coverage: bool
    coverage: str
    flip_prob: float
    max_rotate_degree: float
    visualize: bool
    crop_size_x: int
    crop_size_y: int
    scale_prob: float
    scale_min: float
    scale_max: float
    bbox_norm_factor: float
    img_header: str
    force_color: bool
    force_gray: bool
    target_dist: float
    center_perterb_max: float
    sigma: float
    sigma_center: float
    clahe_tile_size: float
    clahe_clip_limit: float
    do_clahe: bool
    num_parts: int
    num_total_augs: int
    aug_way: str
    gray: int
    np_in_lmdb: int
    transform_body_joint: bool
    def __init__(
        self,
        *,
        scale: float | None = ...,
        mirror: bool | None = ...,
        crop_size: int | None = ...,
        mean_file: str | None = ...,
        mean_value: Iterable[float] | None = ...,
        stride: int | None = ...,
        scale_cvg: float | None = ...,
        max_cvg_len: int | None = ...,
        min_cvg_len: int | None = ...,
        opaque_coverage: bool | None = ...,
        coverage: str | None = ...,
        flip_prob: float | None = ...,
        max_rotate_degree: float | None = ...,
        visualize: bool | None = ...,
        crop_size_x: int | None = ...,
        crop_size_y: int | None = ...,
        scale_prob: float | None = ...,
        scale_min: float | None = ...,
        scale_max: float | None = ...,
        bbox_norm_factor: float | None = ...,
        img_header: str | None = ...,
        force_color: bool | None = ...,
        force_gray: bool | None = ...,
        target_dist: float | None = ...,
        center_perterb_max: float | None = ...,
        sigma: float | None = ...,
        sigma_center: float | None = ...,
        clahe_tile_size: float | None = ...,
        clahe_clip_limit: float | None = ...,
        do_clahe: bool | None = ...,
        num_parts: int | None = ...,
        num_total_augs: int | None = ...,
        aug_way: str | None = ...,
        gray: int | None = ...,
        np_in_lmdb: int | None = ...,
        transform_body_joint: bool | None = ...,
    ) -> None: ...

class CTCDecoderParameter(Message):
    BLANK_INDEX_FIELD_NUMBER: ClassVar[int]
    CTC_MERGE_REPEATED_FIELD_NUMBER: ClassVar[int]
    blank_index: int
    ctc_merge_repeated: bool
    def __init__(
        self,
        *,
        blank_index: int | None = ...,
        ctc_merge_repeated: bool | None = ...,
    ) -> None: ...

class CtcLossParameter(Message):
    ALPHABET_SIZE_FIELD_NUMBER: ClassVar[int]
    TIME_STEP_FIELD_NUMBER: ClassVar[int]
    BLANK_LABEL_FIELD_NUMBER: ClassVar[int]
    OUTPUT_DELAY_FIELD_NUMBER: ClassVar[int]
    BLANK_INDEX_FIELD_NUMBER: ClassVar[int]
    PREPROCESS_COLLAPSE_REPEATED_FIELD_NUMBER: ClassVar[int]
    CTC_MERGE_REPEATED_FIELD_NUMBER: ClassVar[int]
    LOSS_CALCULATION_T_FIELD_NUMBER: ClassVar[int]
    alphabet_size: int
    time_step: int
    blank_label: int
    output_delay: int
    blank_index: int
    preprocess_collapse_repeated: bool
    ctc_merge_repeated: bool
    loss_calculation_t: int
    def __init__(
        self,
        *,
        alphabet_size: int | None = ...,
        time_step: int | None = ...,
        blank_label: int | None = ...,
        output_delay: int | None = ...,
        blank_index: int | None = ...,
        preprocess_collapse_repeated: bool | None = ...,
        ctc_merge_repeated: bool | None = ...,
        loss_calculation_t: int | None = ...,
    ) -> None: ...

class DecodeBBoxParameter(Message):
    GT_IOU_THR_FIELD_NUMBER: ClassVar[int]
    gt_iou_thr: float
    def __init__(
        self,
        *,
        gt_iou_thr: float | None = ...,
    ) -> None: ...

class DeformableConvolutionParameter(Message):
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
    PAD_H_FIELD_NUMBER: ClassVar[int]
    PAD_W_FIELD_NUMBER: ClassVar[int]
    KERNEL_H_FIELD_NUMBER: ClassVar[int]
    KERNEL_W_FIELD_NUMBER: ClassVar[int]
    STRIDE_H_FIELD_NUMBER: ClassVar[int]
    STRIDE_W_FIELD_NUMBER: ClassVar[int]
    GROUP_FIELD_NUMBER: ClassVar[int]
    DEFORMABLE_GROUP_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    FORCE_ND_IM2COL_FIELD_NUMBER: ClassVar[int]
    num_output: int
    bias_term: bool
    pad: RepeatedScalarFieldContainer[int]
    kernel_size: RepeatedScalarFieldContainer[int]
    stride: RepeatedScalarFieldContainer[int]
    dilation: RepeatedScalarFieldContainer[int]
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    group: int
    deformable_group: int
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
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
        pad_h: int | None = ...,
        pad_w: int | None = ...,
        kernel_h: int | None = ...,
        kernel_w: int | None = ...,
        stride_h: int | None = ...,
        stride_w: int | None = ...,
        group: int | None = ...,
        deformable_group: int | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        engine: int | str | None = ...,
        axis: int | None = ...,
        force_nd_im2col: bool | None = ...,
    ) -> None: ...

class DeformablePSROIPoolingParameter(Message):
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    OUTPUT_DIM_FIELD_NUMBER: ClassVar[int]
    GROUP_SIZE_FIELD_NUMBER: ClassVar[int]
    POOLED_SIZE_FIELD_NUMBER: ClassVar[int]
    PART_SIZE_FIELD_NUMBER: ClassVar[int]
    SAMPLE_PER_PART_FIELD_NUMBER: ClassVar[int]
    TRANS_STD_FIELD_NUMBER: ClassVar[int]
    NO_TRANS_FIELD_NUMBER: ClassVar[int]
    spatial_scale: float
    output_dim: int
    group_size: int
    pooled_size: int
    part_size: int
    sample_per_part: int
    trans_std: float
    no_trans: bool
    def __init__(
        self,
        *,
        spatial_scale: float | None = ...,
        output_dim: int | None = ...,
        group_size: int | None = ...,
        pooled_size: int | None = ...,
        part_size: int | None = ...,
        sample_per_part: int | None = ...,
        trans_std: float | None = ...,
        no_trans: bool | None = ...,
    ) -> None: ...

class DenseBlockParameter(Message):
    NUMTRANSITION_FIELD_NUMBER: ClassVar[int]
    INITCHANNEL_FIELD_NUMBER: ClassVar[int]
    GROWTHRATE_FIELD_NUMBER: ClassVar[int]
    PAD_H_FIELD_NUMBER: ClassVar[int]
    PAD_W_FIELD_NUMBER: ClassVar[int]
    CONV_VERTICALSTRIDE_FIELD_NUMBER: ClassVar[int]
    CONV_HORIZENTALSTRIDE_FIELD_NUMBER: ClassVar[int]
    FILTER_H_FIELD_NUMBER: ClassVar[int]
    FILTER_W_FIELD_NUMBER: ClassVar[int]
    FILTER_FILLER_FIELD_NUMBER: ClassVar[int]
    BN_SCALER_FILLER_FIELD_NUMBER: ClassVar[int]
    BN_BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    GPUIDX_FIELD_NUMBER: ClassVar[int]
    USE_DROPOUT_FIELD_NUMBER: ClassVar[int]
    DROPOUT_AMOUNT_FIELD_NUMBER: ClassVar[int]
    USE_BC_FIELD_NUMBER: ClassVar[int]
    BC_ULTRA_SPACE_EFFICIENT_FIELD_NUMBER: ClassVar[int]
    WORKSPACE_MB_FIELD_NUMBER: ClassVar[int]
    MOVING_AVERAGE_FRACTION_FIELD_NUMBER: ClassVar[int]
    numTransition: int
    initChannel: int
    growthRate: int
    pad_h: int
    pad_w: int
    conv_verticalStride: int
    conv_horizentalStride: int
    filter_H: int
    filter_W: int
    @property
    def Filter_Filler(self) -> FillerParameter: ...
    @property
    def BN_Scaler_Filler(self) -> FillerParameter: ...
    @property
    def BN_Bias_Filler(self) -> FillerParameter: ...
    gpuIdx: int
    use_dropout: bool
    dropout_amount: float
    use_BC: bool
    BC_ultra_space_efficient: bool
    workspace_MB: int
    moving_average_fraction: float
    def __init__(
        self,
        *,
        numTransition: int | None = ...,
        initChannel: int | None = ...,
        growthRate: int | None = ...,
        pad_h: int | None = ...,
        pad_w: int | None = ...,
        conv_verticalStride: int | None = ...,
        conv_horizentalStride: int | None = ...,
        filter_H: int | None = ...,
        filter_W: int | None = ...,
        Filter_Filler: FillerParameter | Mapping[str, Any] | None = ...,
        BN_Scaler_Filler: FillerParameter | Mapping[str, Any] | None = ...,
        BN_Bias_Filler: FillerParameter | Mapping[str, Any] | None = ...,
        gpuIdx: int | None = ...,
        use_dropout: bool | None = ...,
        dropout_amount: float | None = ...,
        use_BC: bool | None = ...,
        BC_ultra_space_efficient: bool | None = ...,
        workspace_MB: int | None = ...,
        moving_average_fraction: float | None = ...,
    ) -> None: ...

class DenseCRFParameter(Message):
    MAX_ITER_FIELD_NUMBER: ClassVar[int]
    POS_XY_STD_FIELD_NUMBER: ClassVar[int]
    POS_W_FIELD_NUMBER: ClassVar[int]
    BI_XY_STD_FIELD_NUMBER: ClassVar[int]
    BI_RGB_STD_FIELD_NUMBER: ClassVar[int]
    BI_W_FIELD_NUMBER: ClassVar[int]
    OUTPUT_PROBABILITY_FIELD_NUMBER: ClassVar[int]
    max_iter: int
    pos_xy_std: RepeatedScalarFieldContainer[float]
    pos_w: RepeatedScalarFieldContainer[float]
    bi_xy_std: RepeatedScalarFieldContainer[float]
    bi_rgb_std: RepeatedScalarFieldContainer[float]
    bi_w: RepeatedScalarFieldContainer[float]
    output_probability: bool
    def __init__(
        self,
        *,
        max_iter: int | None = ...,
        pos_xy_std: Iterable[float] | None = ...,
        pos_w: Iterable[float] | None = ...,
        bi_xy_std: Iterable[float] | None = ...,
        bi_rgb_std: Iterable[float] | None = ...,
        bi_w: Iterable[float] | None = ...,
        output_probability: bool | None = ...,
    ) -> None: ...

class DenseImageDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    RAND_SKIP_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    NEW_HEIGHT_FIELD_NUMBER: ClassVar[int]
    NEW_WIDTH_FIELD_NUMBER: ClassVar[int]
    IS_COLOR_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    CROP_WIDTH_FIELD_NUMBER: ClassVar[int]
    CROP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    ROTATE_FIELD_NUMBER: ClassVar[int]
    ONE_HOT_NCLASSES_FIELD_NUMBER: ClassVar[int]
    LABEL_DIVIDE_FACTOR_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_IMAGE_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_LABEL_FIELD_NUMBER: ClassVar[int]
    source: str
    batch_size: int
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    is_color: bool
    mean_file: str
    root_folder: str
    mirror: bool
    crop_width: int
    crop_height: int
    rotate: bool
    one_hot_nclasses: int
    label_divide_factor: int
    root_folder_image: str
    root_folder_label: str
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
        mean_file: str | None = ...,
        root_folder: str | None = ...,
        mirror: bool | None = ...,
        crop_width: int | None = ...,
        crop_height: int | None = ...,
        rotate: bool | None = ...,
        one_hot_nclasses: int | None = ...,
        label_divide_factor: int | None = ...,
        root_folder_image: str | None = ...,
        root_folder_label: str | None = ...,
    ) -> None: ...

class DetectionAccuracyParameter(Message):
    CLS_NUM_FIELD_NUMBER: ClassVar[int]
    COORD_NUM_FIELD_NUMBER: ClassVar[int]
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    DOWNSAMPLE_RATE_FIELD_NUMBER: ClassVar[int]
    TOP_K_FIELD_NUMBER: ClassVar[int]
    FIELD_WHR_FIELD_NUMBER: ClassVar[int]
    FIELD_XYR_FIELD_NUMBER: ClassVar[int]
    BG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    OBJECTNESS_FIELD_NUMBER: ClassVar[int]
    cls_num: int
    coord_num: int
    field_h: int
    field_w: int
    downsample_rate: int
    top_k: int
    field_whr: float
    field_xyr: float
    bg_threshold: float
    objectness: bool
    def __init__(
        self,
        *,
        cls_num: int | None = ...,
        coord_num: int | None = ...,
        field_h: int | None = ...,
        field_w: int | None = ...,
        downsample_rate: int | None = ...,
        top_k: int | None = ...,
        field_whr: float | None = ...,
        field_xyr: float | None = ...,
        bg_threshold: float | None = ...,
        objectness: bool | None = ...,
    ) -> None: ...

class DetectionDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    COORD_NUM_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    FG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    IGNORE_FG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    RESIZE_WIDTH_FIELD_NUMBER: ClassVar[int]
    RESIZE_HEIGHT_FIELD_NUMBER: ClassVar[int]
    RESIZE_RATIO_FIELD_NUMBER: ClassVar[int]
    CROP_WIDTH_FIELD_NUMBER: ClassVar[int]
    CROP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    MIN_SCALE_FIELD_NUMBER: ClassVar[int]
    MAX_SCALE_FIELD_NUMBER: ClassVar[int]
    LOW_SCALE_RATIO_FIELD_NUMBER: ClassVar[int]
    HIGH_SCALE_RATIO_FIELD_NUMBER: ClassVar[int]
    MULTISCALE_PROB_FIELD_NUMBER: ClassVar[int]
    MIN_WHASPECT_FIELD_NUMBER: ClassVar[int]
    MAX_WHASPECT_FIELD_NUMBER: ClassVar[int]
    SHORT_SIZE_FIELD_NUMBER: ClassVar[int]
    LONG_SIZE_FIELD_NUMBER: ClassVar[int]
    CROP_SHORT_SIZE_FIELD_NUMBER: ClassVar[int]
    CROP_LONG_SIZE_FIELD_NUMBER: ClassVar[int]
    TEMPLATE_RATIO_FIELD_NUMBER: ClassVar[int]
    MIN_GT_WIDTH_FIELD_NUMBER: ClassVar[int]
    MIN_GT_HEIGHT_FIELD_NUMBER: ClassVar[int]
    ANCHOR_IGNORE_MARGIN_RATIO_FIELD_NUMBER: ClassVar[int]
    ANCHOR_IGNORE_IOU_THR_FIELD_NUMBER: ClassVar[int]
    PICKUP_IOU_THR_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    MIX_GROUP_SIZE_FIELD_NUMBER: ClassVar[int]
    OUTPUT_GT_BOXES_FIELD_NUMBER: ClassVar[int]
    CACHE_IMAGES_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_FIELD_NUMBER: ClassVar[int]
    DISTORT_PARAM_FIELD_NUMBER: ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    source: str
    scale: float
    batch_size: int
    coord_num: int
    stride: RepeatedScalarFieldContainer[int]
    field_h: RepeatedScalarFieldContainer[int]
    field_w: RepeatedScalarFieldContainer[int]
    fg_threshold: float
    ignore_fg_threshold: float
    resize_width: int
    resize_height: int
    resize_ratio: float
    crop_width: int
    crop_height: int
    min_scale: float
    max_scale: float
    low_scale_ratio: float
    high_scale_ratio: float
    multiscale_prob: float
    min_whaspect: float
    max_whaspect: float
    short_size: int
    long_size: int
    crop_short_size: int
    crop_long_size: int
    template_ratio: RepeatedScalarFieldContainer[float]
    min_gt_width: float
    min_gt_height: float
    anchor_ignore_margin_ratio: float
    anchor_ignore_iou_thr: float
    pickup_iou_thr: float
    shuffle: str
    mix_group_size: int
    output_gt_boxes: bool
    cache_images: bool
    root_folder: str
    @property
    def distort_param(self) -> DistortionParameter: ...
    @property
    def resize_param(self) -> ResizeParameter: ...
    def __init__(
        self,
        *,
        source: str | None = ...,
        scale: float | None = ...,
        batch_size: int | None = ...,
        coord_num: int | None = ...,
        stride: Iterable[int] | None = ...,
        field_h: Iterable[int] | None = ...,
        field_w: Iterable[int] | None = ...,
        fg_threshold: float | None = ...,
        ignore_fg_threshold: float | None = ...,
        resize_width: int | None = ...,
        resize_height: int | None = ...,
        resize_ratio: float | None = ...,
        crop_width: int | None = ...,
        crop_height: int | None = ...,
        min_scale: float | None = ...,
        max_scale: float | None = ...,
        low_scale_ratio: float | None = ...,
        high_scale_ratio: float | None = ...,
        multiscale_prob: float | None = ...,
        min_whaspect: float | None = ...,
        max_whaspect: float | None = ...,
        short_size: int | None = ...,
        long_size: int | None = ...,
        crop_short_size: int | None = ...,
        crop_long_size: int | None = ...,
        template_ratio: Iterable[float] | None = ...,
        min_gt_width: float | None = ...,
        min_gt_height: float | None = ...,
        anchor_ignore_margin_ratio: float | None = ...,
        anchor_ignore_iou_thr: float | None = ...,
        pickup_iou_thr: float | None = ...,
        shuffle: str | None = ...,
        mix_group_size: int | None = ...,
        output_gt_boxes: bool | None = ...,
        cache_images: bool | None = ...,
        root_folder: str | None = ...,
        distort_param: DistortionParameter | Mapping[str, Any] | None = ...,
        resize_param: ResizeParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class DetectionEvaluateParameter(Message):
    NUM_CLASSES_FIELD_NUMBER: ClassVar[int]
    BACKGROUND_LABEL_ID_FIELD_NUMBER: ClassVar[int]
    OVERLAP_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    EVALUATE_DIFFICULT_GT_FIELD_NUMBER: ClassVar[int]
    NAME_SIZE_FILE_FIELD_NUMBER: ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    OUTPUT_LOGITS_FIELD_NUMBER: ClassVar[int]
    num_classes: int
    background_label_id: int
    overlap_threshold: float
    evaluate_difficult_gt: bool
    name_size_file: str
    @property
    def resize_param(self) -> ResizeParameter: ...
    output_logits: bool
    def __init__(
        self,
        *,
        num_classes: int | None = ...,
        background_label_id: int | None = ...,
        overlap_threshold: float | None = ...,
        evaluate_difficult_gt: bool | None = ...,
        name_size_file: str | None = ...,
        resize_param: ResizeParameter | Mapping[str, Any] | None = ...,
        output_logits: bool | None = ...,
    ) -> None: ...

class DetectionGroupAccuracyParameter(Message):
    CLS_NUM_FIELD_NUMBER: ClassVar[int]
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    FIELD_WHR_FIELD_NUMBER: ClassVar[int]
    FIELD_XYR_FIELD_NUMBER: ClassVar[int]
    BG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    OBJECTNESS_FIELD_NUMBER: ClassVar[int]
    cls_num: int
    field_h: RepeatedScalarFieldContainer[int]
    field_w: RepeatedScalarFieldContainer[int]
    stride: int
    field_whr: float
    field_xyr: float
    bg_threshold: float
    objectness: bool
    def __init__(
        self,
        *,
        cls_num: int | None = ...,
        field_h: Iterable[int] | None = ...,
        field_w: Iterable[int] | None = ...,
        stride: int | None = ...,
        field_whr: float | None = ...,
        field_xyr: float | None = ...,
        bg_threshold: float | None = ...,
        objectness: bool | None = ...,
    ) -> None: ...

class DetectionGroupLossParameter(Message):
    CLS_NUM_FIELD_NUMBER: ClassVar[int]
    LAMBDA_FIELD_NUMBER: ClassVar[int]
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    FIELD_WHR_FIELD_NUMBER: ClassVar[int]
    FIELD_XYR_FIELD_NUMBER: ClassVar[int]
    BG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    BG_MULTIPLE_FIELD_NUMBER: ClassVar[int]
    NEG_MINING_TYPE_FIELD_NUMBER: ClassVar[int]
    NEG_RANKING_TYPE_FIELD_NUMBER: ClassVar[int]
    MIN_NUM_NEG_FIELD_NUMBER: ClassVar[int]
    OBJECTNESS_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    POS_NEG_WEIGHTED_FIELD_NUMBER: ClassVar[int]
    BBOX_LOSS_TYPE_FIELD_NUMBER: ClassVar[int]
    cls_num: int
    field_h: RepeatedScalarFieldContainer[int]
    field_w: RepeatedScalarFieldContainer[int]
    stride: int
    field_whr: float
    field_xyr: float
    bg_threshold: float
    bg_multiple: int
    neg_mining_type: str
    neg_ranking_type: str
    min_num_neg: int
    objectness: bool
    batch_size: int
    pos_neg_weighted: bool
    bbox_loss_type: str
    def __init__(
        self,
        *,
        cls_num: int | None = ...,
        field_h: Iterable[int] | None = ...,
        field_w: Iterable[int] | None = ...,
        stride: int | None = ...,
        field_whr: float | None = ...,
        field_xyr: float | None = ...,
        bg_threshold: float | None = ...,
        bg_multiple: int | None = ...,
        neg_mining_type: str | None = ...,
        neg_ranking_type: str | None = ...,
        min_num_neg: int | None = ...,
        objectness: bool | None = ...,
        batch_size: int | None = ...,
        pos_neg_weighted: bool | None = ...,
        bbox_loss_type: str | None = ...,
    ) -> None: ...

class DetectionLossParameter(Message):
    CLS_NUM_FIELD_NUMBER: ClassVar[int]
    COORD_NUM_FIELD_NUMBER: ClassVar[int]
    LAMBDA_FIELD_NUMBER: ClassVar[int]
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    DOWNSAMPLE_RATE_FIELD_NUMBER: ClassVar[int]
    BB_SMOOTH_FIELD_NUMBER: ClassVar[int]
    FIELD_WHR_FIELD_NUMBER: ClassVar[int]
    FIELD_XYR_FIELD_NUMBER: ClassVar[int]
    BG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    BG_MULTIPLE_FIELD_NUMBER: ClassVar[int]
    SAMPLE_MODE_FIELD_NUMBER: ClassVar[int]
    OBJECTNESS_FIELD_NUMBER: ClassVar[int]
    IOU_WEIGHTED_FIELD_NUMBER: ClassVar[int]
    POS_NEG_WEIGHTED_FIELD_NUMBER: ClassVar[int]
    cls_num: int
    coord_num: int
    field_h: int
    field_w: int
    downsample_rate: int
    bb_smooth: bool
    field_whr: float
    field_xyr: float
    bg_threshold: float
    bg_multiple: int
    sample_mode: str
    objectness: bool
    iou_weighted: bool
    pos_neg_weighted: bool
    def __init__(
        self,
        *,
        cls_num: int | None = ...,
        coord_num: int | None = ...,
        field_h: int | None = ...,
        field_w: int | None = ...,
        downsample_rate: int | None = ...,
        bb_smooth: bool | None = ...,
        field_whr: float | None = ...,
        field_xyr: float | None = ...,
        bg_threshold: float | None = ...,
        bg_multiple: int | None = ...,
        sample_mode: str | None = ...,
        objectness: bool | None = ...,
        iou_weighted: bool | None = ...,
        pos_neg_weighted: bool | None = ...,
    ) -> None: ...

class DetectionOutputParameter(Message):
    NUM_CLASSES_FIELD_NUMBER: ClassVar[int]
    SHARE_LOCATION_FIELD_NUMBER: ClassVar[int]
    BACKGROUND_LABEL_ID_FIELD_NUMBER: ClassVar[int]
    NMS_PARAM_FIELD_NUMBER: ClassVar[int]
    SAVE_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    CODE_TYPE_FIELD_NUMBER: ClassVar[int]
    VARIANCE_ENCODED_IN_TARGET_FIELD_NUMBER: ClassVar[int]
    KEEP_TOP_K_FIELD_NUMBER: ClassVar[int]
    VISUALIZE_FIELD_NUMBER: ClassVar[int]
    VISUALIZE_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    SAVE_FILE_FIELD_NUMBER: ClassVar[int]
    CONFIDENCE_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    OBJECTNESS_SCORE_FIELD_NUMBER: ClassVar[int]
    OUTPUT_LOGITS_FIELD_NUMBER: ClassVar[int]
    SIDE_FIELD_NUMBER: ClassVar[int]
    CLASSES_FIELD_NUMBER: ClassVar[int]
    NUM_BOX_FIELD_NUMBER: ClassVar[int]
    COORDS_FIELD_NUMBER: ClassVar[int]
    NMS_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    BIASES_FIELD_NUMBER: ClassVar[int]
    LABEL_MAP_FILE_FIELD_NUMBER: ClassVar[int]
    num_classes: int
    share_location: bool
    background_label_id: int
    @property
    def nms_param(self) -> NonMaximumSuppressionParameter: ...
    @property
    def save_output_param(self) -> SaveOutputParameter: ...
    code_type: int
    variance_encoded_in_target: bool
    keep_top_k: int
    visualize: bool
    visualize_threshold: float
    save_file: str
    confidence_threshold: float
    objectness_score: float
    output_logits: bool
    side: int
    classes: int
    num_box: int
    coords: int
    nms_threshold: float
    biases: RepeatedScalarFieldContainer[float]
    label_map_file: str
    def __init__(
        self,
        *,
        num_classes: int | None = ...,
        share_location: bool | None = ...,
        background_label_id: int | None = ...,
        nms_param: NonMaximumSuppressionParameter | Mapping[str, Any] | None = ...,
        save_output_param: SaveOutputParameter | Mapping[str, Any] | None = ...,
        code_type: int | str | None = ...,
        variance_encoded_in_target: bool | None = ...,
        keep_top_k: int | None = ...,
        visualize: bool | None = ...,
        visualize_threshold: float | None = ...,
        save_file: str | None = ...,
        confidence_threshold: float | None = ...,
        objectness_score: float | None = ...,
        output_logits: bool | None = ...,
        side: int | None = ...,
        classes: int | None = ...,
        num_box: int | None = ...,
        coords: int | None = ...,
        nms_threshold: float | None = ...,
        biases: Iterable[float] | None = ...,
        label_map_file: str | None = ...,
    ) -> None: ...

class DetectNetAugmentationParameter(Message):
    CROP_PROB_FIELD_NUMBER: ClassVar[int]
    SHIFT_X_FIELD_NUMBER: ClassVar[int]
    SHIFT_Y_FIELD_NUMBER: ClassVar[int]
    SCALE_PROB_FIELD_NUMBER: ClassVar[int]
    SCALE_MIN_FIELD_NUMBER: ClassVar[int]
    SCALE_MAX_FIELD_NUMBER: ClassVar[int]
    FLIP_PROB_FIELD_NUMBER: ClassVar[int]
    ROTATION_PROB_FIELD_NUMBER: ClassVar[int]
    MAX_ROTATE_DEGREE_FIELD_NUMBER: ClassVar[int]
    HUE_ROTATION_PROB_FIELD_NUMBER: ClassVar[int]
    HUE_ROTATION_FIELD_NUMBER: ClassVar[int]
    DESATURATION_PROB_FIELD_NUMBER: ClassVar[int]
    DESATURATION_MAX_FIELD_NUMBER: ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    NOISE_PARAM_FIELD_NUMBER: ClassVar[int]
    DISTORT_PARAM_FIELD_NUMBER: ClassVar[int]
    EXPAND_PARAM_FIELD_NUMBER: ClassVar[int]
    EMIT_CONSTRAINT_FIELD_NUMBER: ClassVar[int]
    crop_prob: float
    shift_x: int
    shift_y: int
    scale_prob: float
    scale_min: float
    scale_max: float
    flip_prob: float
    rotation_prob: float
    max_rotate_degree: float
    hue_rotation_prob: float
    hue_rotation: float
    desaturation_prob: float
    desaturation_max: float
    @property
    def resize_param(self) -> ResizeParameter: ...
    @property
    def noise_param(self) -> NoiseParameter: ...
    @property
    def distort_param(self) -> DistortionParameter: ...
    @property
    def expand_param(self) -> ExpansionParameter: ...
    @property
    def emit_constraint(self) -> EmitConstraint: ...
    def __init__(
        self,
        *,
        crop_prob: float | None = ...,
        shift_x: int | None = ...,
        shift_y: int | None = ...,
        scale_prob: float | None = ...,
        scale_min: float | None = ...,
        scale_max: float | None = ...,
        flip_prob: float | None = ...,
        rotation_prob: float | None = ...,
        max_rotate_degree: float | None = ...,
        hue_rotation_prob: float | None = ...,
        hue_rotation: float | None = ...,
        desaturation_prob: float | None = ...,
        desaturation_max: float | None = ...,
        resize_param: ResizeParameter | Mapping[str, Any] | None = ...,
        noise_param: NoiseParameter | Mapping[str, Any] | None = ...,
        distort_param: DistortionParameter | Mapping[str, Any] | None = ...,
        expand_param: ExpansionParameter | Mapping[str, Any] | None = ...,
        emit_constraint: EmitConstraint | Mapping[str, Any] | None = ...,
    ) -> None: ...

class DetectNetClassMapping(Message):
    SRC_FIELD_NUMBER: ClassVar[int]
    DST_FIELD_NUMBER: ClassVar[int]
    src: int
    dst: int
    def __init__(
        self,
        *,
        src: int | None = ...,
        dst: int | None = ...,
    ) -> None: ...

class DetectNetGroundTruthParameter(Message):
    class GridboxType(int, metaclass=EnumTypeWrapper):
        GRIDBOX_MAX: ClassVar[int]
        GRIDBOX_MIN: ClassVar[int]
    GRIDBOX_MAX: ClassVar[int]
    GRIDBOX_MIN: ClassVar[int]
    class CoverageType(int, metaclass=EnumTypeWrapper):
        RECTANGULAR: ClassVar[int]
    RECTANGULAR: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    SCALE_CVG_FIELD_NUMBER: ClassVar[int]
    GRIDBOX_TYPE_FIELD_NUMBER: ClassVar[int]
    MAX_CVG_LEN_FIELD_NUMBER: ClassVar[int]
    MIN_CVG_LEN_FIELD_NUMBER: ClassVar[int]
    COVERAGE_TYPE_FIELD_NUMBER: ClassVar[int]
    IMAGE_SIZE_X_FIELD_NUMBER: ClassVar[int]
    IMAGE_SIZE_Y_FIELD_NUMBER: ClassVar[int]
    OBJ_NORM_FIELD_NUMBER: ClassVar[int]
    CROP_BBOXES_FIELD_NUMBER: ClassVar[int]
    OBJECT_CLASS_FIELD_NUMBER: ClassVar[int]
    stride: int
    scale_cvg: float
    gridbox_type: int
    max_cvg_len: int
    min_cvg_len: int
    coverage_type: int
    image_size_x: int
    image_size_y: int
    obj_norm: bool
    crop_bboxes: bool
    object_class: RepeatedCompositeFieldContainer[DetectNetClassMapping]
    def __init__(
        self,
        *,
        stride: int | None = ...,
        scale_cvg: float | None = ...,
        gridbox_type: int | str | None = ...,
        max_cvg_len: int | None = ...,
        min_cvg_len: int | None = ...,
        coverage_type: int | str | None = ...,
        image_size_x: int | None = ...,
        image_size_y: int | None = ...,
        obj_norm: bool | None = ...,
        crop_bboxes: bool | None = ...,
        object_class: Iterable[DetectNetClassMapping | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class DiceCoefLossParameter(Message):
    class GeneralizationMode(int, metaclass=EnumTypeWrapper):
        NONE: ClassVar[int]
        MULTICLASS: ClassVar[int]
        MULTICLASS_WEIGHTED: ClassVar[int]
        MULTICLASS_WEIGHTED_BATCH: ClassVar[int]
        MULTICLASS_WEIGHTED_ALL: ClassVar[int]
    NONE: ClassVar[int]
    MULTICLASS: ClassVar[int]
    MULTICLASS_WEIGHTED: ClassVar[int]
    MULTICLASS_WEIGHTED_BATCH: ClassVar[int]
    MULTICLASS_WEIGHTED_ALL: ClassVar[int]
    class WeightMode(int, metaclass=EnumTypeWrapper):
        INVERSE_VOLUME: ClassVar[int]
        EQUALIZE_CLASSES: ClassVar[int]
        EXTRA_SMALL_VOLUMES: ClassVar[int]
    INVERSE_VOLUME: ClassVar[int]
    EQUALIZE_CLASSES: ClassVar[int]
    EXTRA_SMALL_VOLUMES: ClassVar[int]
    class ContourShape(int, metaclass=EnumTypeWrapper):
        NO: ClassVar[int]
        SIMPLE: ClassVar[int]
        SHARP: ClassVar[int]
    NO: ClassVar[int]
    SIMPLE: ClassVar[int]
    SHARP: ClassVar[int]
    GENERALIZATION_FIELD_NUMBER: ClassVar[int]
    WEIGHT_MODE_FIELD_NUMBER: ClassVar[int]
    WEIGHTS_FIELD_NUMBER: ClassVar[int]
    CONTOUR_SHAPE_FIELD_NUMBER: ClassVar[int]
    CONTOUR_SIZE_FIELD_NUMBER: ClassVar[int]
    CONTOUR_AMPLITUDE_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    generalization: int
    weight_mode: int
    weights: str
    contour_shape: int
    contour_size: int
    contour_amplitude: float
    ignore_label: int
    def __init__(
        self,
        *,
        generalization: int | str | None = ...,
        weight_mode: int | str | None = ...,
        weights: str | None = ...,
        contour_shape: int | str | None = ...,
        contour_size: int | None = ...,
        contour_amplitude: float | None = ...,
        ignore_label: int | None = ...,
    ) -> None: ...

class DistortionParameter(Message):
    BRIGHTNESS_PROB_FIELD_NUMBER: ClassVar[int]
    BRIGHTNESS_DELTA_FIELD_NUMBER: ClassVar[int]
    CONTRAST_PROB_FIELD_NUMBER: ClassVar[int]
    CONTRAST_LOWER_FIELD_NUMBER: ClassVar[int]
    CONTRAST_UPPER_FIELD_NUMBER: ClassVar[int]
    HUE_PROB_FIELD_NUMBER: ClassVar[int]
    HUE_DELTA_FIELD_NUMBER: ClassVar[int]
    SATURATION_PROB_FIELD_NUMBER: ClassVar[int]
    SATURATION_LOWER_FIELD_NUMBER: ClassVar[int]
    SATURATION_UPPER_FIELD_NUMBER: ClassVar[int]
    RANDOM_ORDER_PROB_FIELD_NUMBER: ClassVar[int]
    PROB_FIELD_NUMBER: ClassVar[int]
    BRIGHTNESS_FIELD_NUMBER: ClassVar[int]
    CONTRAST_FIELD_NUMBER: ClassVar[int]
    HUE_FIELD_NUMBER: ClassVar[int]
    SATURATION_FIELD_NUMBER: ClassVar[int]
    RANDOM_ORDER_FIELD_NUMBER: ClassVar[int]
    ALL_EFFECTS_FIELD_NUMBER: ClassVar[int]
    brightness_prob: float
    brightness_delta: float
    contrast_prob: float
    contrast_lower: float
    contrast_upper: float
    hue_prob: float
    hue_delta: float
    saturation_prob: float
    saturation_lower: float
    saturation_upper: float
    random_order_prob: float
    prob: float
    brightness: bool
    contrast: bool
    hue: bool
    saturation: bool
    random_order: bool
    all_effects: bool
    def __init__(
        self,
        *,
        brightness_prob: float | None = ...,
        brightness_delta: float | None = ...,
        contrast_prob: float | None = ...,
        contrast_lower: float | None = ...,
        contrast_upper: float | None = ...,
        hue_prob: float | None = ...,
        hue_delta: float | None = ...,
        saturation_prob: float | None = ...,
        saturation_lower: float | None = ...,
        saturation_upper: float | None = ...,
        random_order_prob: float | None = ...,
        prob: float | None = ...,
        brightness: bool | None = ...,
        contrast: bool | None = ...,
        hue: bool | None = ...,
        saturation: bool | None = ...,
        random_order: bool | None = ...,
        all_effects: bool | None = ...,
    ) -> None: ...

class DomainTransformParameter(Message):
    NUM_ITER_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SIGMA_FIELD_NUMBER: ClassVar[int]
    RANGE_SIGMA_FIELD_NUMBER: ClassVar[int]
    MIN_WEIGHT_FIELD_NUMBER: ClassVar[int]
    num_iter: int
    spatial_sigma: float
    range_sigma: float
    min_weight: float
    def __init__(
        self,
        *,
        num_iter: int | None = ...,
        spatial_sigma: float | None = ...,
        range_sigma: float | None = ...,
        min_weight: float | None = ...,
    ) -> None: ...

class DominantChannelParameter(Message):
    TOP_K_FIELD_NUMBER: ClassVar[int]
    top_k: int
    def __init__(
        self,
        *,
        top_k: int | None = ...,
    ) -> None: ...

class DownsampleParameter(Message):
    TOP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    TOP_WIDTH_FIELD_NUMBER: ClassVar[int]
    top_height: int
    top_width: int
    def __init__(
        self,
        *,
        top_height: int | None = ...,
        top_width: int | None = ...,
    ) -> None: ...

class EltwiseAccuracyParameter(Message):
    TOP_K_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    top_k: int
    ignore_label: int
    def __init__(
        self,
        *,
        top_k: int | None = ...,
        ignore_label: int | None = ...,
    ) -> None: ...

class EltwiseAffineParameter(Message):
    SLOPE_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    CHANNEL_SHARED_FIELD_NUMBER: ClassVar[int]
    @property
    def slope_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    channel_shared: bool
    def __init__(
        self,
        *,
        slope_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        channel_shared: bool | None = ...,
    ) -> None: ...

class EmitConstraint(Message):
    class EmitType(int, metaclass=EnumTypeWrapper):
        CENTER: ClassVar[int]
        MIN_OVERLAP: ClassVar[int]
    CENTER: ClassVar[int]
    MIN_OVERLAP: ClassVar[int]
    EMIT_TYPE_FIELD_NUMBER: ClassVar[int]
    EMIT_OVERLAP_FIELD_NUMBER: ClassVar[int]
    emit_type: int
    emit_overlap: float
    def __init__(
        self,
        *,
        emit_type: int | str | None = ...,
        emit_overlap: float | None = ...,
    ) -> None: ...

class EuclideanLossParameter(Message):
    class Type(int, metaclass=EnumTypeWrapper):
        L2: ClassVar[int]
        L2sqrt: ClassVar[int]
    L2: ClassVar[int]
    L2sqrt: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    type: int
    def __init__(
        self,
        *,
        type: int | str | None = ...,
    ) -> None: ...

class EvalDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    RESIZE_WIDTH_FIELD_NUMBER: ClassVar[int]
    RESIZE_HEIGHT_FIELD_NUMBER: ClassVar[int]
    SHORT_SIZE_FIELD_NUMBER: ClassVar[int]
    LONG_SIZE_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_FIELD_NUMBER: ClassVar[int]
    source: str
    scale: float
    batch_size: int
    resize_width: int
    resize_height: int
    short_size: int
    long_size: int
    root_folder: str
    def __init__(
        self,
        *,
        source: str | None = ...,
        scale: float | None = ...,
        batch_size: int | None = ...,
        resize_width: int | None = ...,
        resize_height: int | None = ...,
        short_size: int | None = ...,
        long_size: int | None = ...,
        root_folder: str | None = ...,
    ) -> None: ...

class EvalDetectionParameter(Message):
    class ScoreType(int, metaclass=EnumTypeWrapper):
        OBJ: ClassVar[int]
        PROB: ClassVar[int]
        MULTIPLY: ClassVar[int]
    OBJ: ClassVar[int]
    PROB: ClassVar[int]
    MULTIPLY: ClassVar[int]
    SIDE_FIELD_NUMBER: ClassVar[int]
    NUM_CLASS_FIELD_NUMBER: ClassVar[int]
    NUM_OBJECT_FIELD_NUMBER: ClassVar[int]
    THRESHOLD_FIELD_NUMBER: ClassVar[int]
    SQRT_FIELD_NUMBER: ClassVar[int]
    CONSTRIANT_FIELD_NUMBER: ClassVar[int]
    SCORE_TYPE_FIELD_NUMBER: ClassVar[int]
    NMS_FIELD_NUMBER: ClassVar[int]
    BIASES_FIELD_NUMBER: ClassVar[int]
    side: int
    num_class: int
    num_object: int
    threshold: float
    sqrt: bool
    constriant: bool
    score_type: int
    nms: float
    biases: RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        *,
        side: int | None = ...,
        num_class: int | None = ...,
        num_object: int | None = ...,
        threshold: float | None = ...,
        sqrt: bool | None = ...,
        constriant: bool | None = ...,
        score_type: int | str | None = ...,
        nms: float | None = ...,
        biases: Iterable[float] | None = ...,
    ) -> None: ...

class ExpansionParameter(Message):
    PROB_FIELD_NUMBER: ClassVar[int]
    MAX_EXPAND_RATIO_FIELD_NUMBER: ClassVar[int]
    prob: float
    max_expand_ratio: float
    def __init__(
        self,
        *,
        prob: float | None = ...,
        max_expand_ratio: float | None = ...,
    ) -> None: ...

class FCNDataParameter(Message):
    TEMPLATE_H_FIELD_NUMBER: ClassVar[int]
    TEMPLATE_W_FIELD_NUMBER: ClassVar[int]
    EXPAND_LEFT_FIELD_NUMBER: ClassVar[int]
    EXPAND_RIGHT_FIELD_NUMBER: ClassVar[int]
    EXPAND_TOP_FIELD_NUMBER: ClassVar[int]
    EXPAND_BOTTOM_FIELD_NUMBER: ClassVar[int]
    ROI_MULTIPLY_H_FIELD_NUMBER: ClassVar[int]
    ROI_MULTIPLY_W_FIELD_NUMBER: ClassVar[int]
    SCALE_STEP_FIELD_NUMBER: ClassVar[int]
    SCALE_STEP_NUM_FIELD_NUMBER: ClassVar[int]
    GAUSSIAN_SIZE_H_FIELD_NUMBER: ClassVar[int]
    GAUSSIAN_SIZE_W_FIELD_NUMBER: ClassVar[int]
    GAUSSIAN_STD_H_FIELD_NUMBER: ClassVar[int]
    GAUSSIAN_STD_W_FIELD_NUMBER: ClassVar[int]
    USE_HOG_FIELD_NUMBER: ClassVar[int]
    HOG_CELL_SIZE_FIELD_NUMBER: ClassVar[int]
    MIN_IOU_FIELD_NUMBER: ClassVar[int]
    template_h: int
    template_w: int
    expand_left: float
    expand_right: float
    expand_top: float
    expand_bottom: float
    roi_multiply_h: float
    roi_multiply_w: float
    scale_step: float
    scale_step_num: int
    gaussian_size_h: int
    gaussian_size_w: int
    gaussian_std_h: float
    gaussian_std_w: float
    use_hog: bool
    hog_cell_size: int
    min_iou: float
    def __init__(
        self,
        *,
        template_h: int | None = ...,
        template_w: int | None = ...,
        expand_left: float | None = ...,
        expand_right: float | None = ...,
        expand_top: float | None = ...,
        expand_bottom: float | None = ...,
        roi_multiply_h: float | None = ...,
        roi_multiply_w: float | None = ...,
        scale_step: float | None = ...,
        scale_step_num: int | None = ...,
        gaussian_size_h: int | None = ...,
        gaussian_size_w: int | None = ...,
        gaussian_std_h: float | None = ...,
        gaussian_std_w: float | None = ...,
        use_hog: bool | None = ...,
        hog_cell_size: int | None = ...,
        min_iou: float | None = ...,
    ) -> None: ...

class FeatureDecayLossParameter(Message):
    DECAY_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    FORCE_DECAY_FIELD_NUMBER: ClassVar[int]
    decay_threshold: float
    force_decay: bool
    def __init__(
        self,
        *,
        decay_threshold: float | None = ...,
        force_decay: bool | None = ...,
    ) -> None: ...

class FilterParamter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    axis: int
    num_output: int
    def __init__(
        self,
        *,
        axis: int | None = ...,
        num_output: int | None = ...,
    ) -> None: ...

class FlipParameter(Message):
    FLIP_WIDTH_FIELD_NUMBER: ClassVar[int]
    FLIP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    flip_width: bool
    flip_height: bool
    def __init__(
        self,
        *,
        flip_width: bool | None = ...,
        flip_height: bool | None = ...,
    ) -> None: ...

class FlowWarpParameter(Message):
    class FillParameter(int, metaclass=EnumTypeWrapper):
        ZERO: ClassVar[int]
        NOT_A_NUMBER: ClassVar[int]
    ZERO: ClassVar[int]
    NOT_A_NUMBER: ClassVar[int]
    FILL_VALUE_FIELD_NUMBER: ClassVar[int]
    fill_value: int
    def __init__(
        self,
        *,
        fill_value: int | str | None = ...,
    ) -> None: ...

class FocalLossParameter(Message):
    class Type(int, metaclass=EnumTypeWrapper):
        ORIGIN: ClassVar[int]
        LINEAR: ClassVar[int]
        ONEADDP: ClassVar[int]
    ORIGIN: ClassVar[int]
    LINEAR: ClassVar[int]
    ONEADDP: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    BETA_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    ALPHA_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    GAMA_FIELD_NUMBER: ClassVar[int]
    type: int
    beta: float
    gamma: float
    alpha: float
    engine: int
    axis: int
    gama: float
    def __init__(
        self,
        *,
        type: int | str | None = ...,
        beta: float | None = ...,
        gamma: float | None = ...,
        alpha: float | None = ...,
        engine: int | str | None = ...,
        axis: int | None = ...,
        gama: float | None = ...,
    ) -> None: ...

class FrcnnAnchorTargetParameter(Message):
    FEAT_STRIDE_FIELD_NUMBER: ClassVar[int]
    CONFIG_FIELD_NUMBER: ClassVar[int]
    feat_stride: int
    config: str
    def __init__(
        self,
        *,
        feat_stride: int | None = ...,
        config: str | None = ...,
    ) -> None: ...

class FrcnnOutputParameter(Message):
    CONF_THR_FIELD_NUMBER: ClassVar[int]
    IOU_THR_FIELD_NUMBER: ClassVar[int]
    NMS_TYPE_FIELD_NUMBER: ClassVar[int]
    MAX_DET_NUM_FIELD_NUMBER: ClassVar[int]
    SAVE_OUTPUT_PARAM_FIELD_NUMBER: ClassVar[int]
    conf_thr: float
    iou_thr: float
    nms_type: str
    max_det_num: int
    @property
    def save_output_param(self) -> SaveOutputParameter: ...
    def __init__(
        self,
        *,
        conf_thr: float | None = ...,
        iou_thr: float | None = ...,
        nms_type: str | None = ...,
        max_det_num: int | None = ...,
        save_output_param: SaveOutputParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class FrcnnProposalParameter(Message):
    FEAT_STRIDE_FIELD_NUMBER: ClassVar[int]
    CONFIG_FIELD_NUMBER: ClassVar[int]
    feat_stride: int
    config: str
    def __init__(
        self,
        *,
        feat_stride: int | None = ...,
        config: str | None = ...,
    ) -> None: ...

class FrcnnProposalTargetParameter(Message):
    NUM_CLASSES_FIELD_NUMBER: ClassVar[int]
    num_classes: int
    def __init__(
        self,
        *,
        num_classes: int | None = ...,
    ) -> None: ...

class GainChannelParameter(Message):
    NUM_OUTPUT_NZ_FIELD_NUMBER: ClassVar[int]
    DRIFT_FIELD_NUMBER: ClassVar[int]
    STDEV_FIELD_NUMBER: ClassVar[int]
    GAIN_FILLER_FIELD_NUMBER: ClassVar[int]
    NORM_MEAN_FIELD_NUMBER: ClassVar[int]
    THRESH_FIELD_NUMBER: ClassVar[int]
    num_output_nz: int
    drift: float
    stdev: float
    @property
    def gain_filler(self) -> FillerParameter: ...
    norm_mean: bool
    thresh: float
    def __init__(
        self,
        *,
        num_output_nz: int | None = ...,
        drift: float | None = ...,
        stdev: float | None = ...,
        gain_filler: FillerParameter | Mapping[str, Any] | None = ...,
        norm_mean: bool | None = ...,
        thresh: float | None = ...,
    ) -> None: ...

class GeneralContrastiveParameter(Message):
    POSITIVE_MARGIN_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_MARGIN_FIELD_NUMBER: ClassVar[int]
    POSITIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_NEGATIVE_FIELD_NUMBER: ClassVar[int]
    POSITIVE_OUTLIER_THRESH_FIELD_NUMBER: ClassVar[int]
    SQUARE_FIELD_NUMBER: ClassVar[int]
    MAX_NEGATIVE_ONLY_FIELD_NUMBER: ClassVar[int]
    MAX_POSITIVE_ONLY_FIELD_NUMBER: ClassVar[int]
    POSITIVE_FIRST_FIELD_NUMBER: ClassVar[int]
    POSITIVE_UPPER_BOUND_FIELD_NUMBER: ClassVar[int]
    EXP_NEGATIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    ADD_INTRA_MAE_FIELD_NUMBER: ClassVar[int]
    MAX_NEGATIVE_MARGIN_FIELD_NUMBER: ClassVar[int]
    positive_margin: float
    negative_margin: float
    positive_weight: float
    negative_weight: float
    normalize_negative: float
    positive_outlier_thresh: float
    square: bool
    max_negative_only: bool
    max_positive_only: bool
    positive_first: bool
    positive_upper_bound: float
    exp_negative_weight: bool
    add_intra_mae: bool
    max_negative_margin: float
    def __init__(
        self,
        *,
        positive_margin: float | None = ...,
        negative_margin: float | None = ...,
        positive_weight: float | None = ...,
        negative_weight: float | None = ...,
        normalize_negative: float | None = ...,
        positive_outlier_thresh: float | None = ...,
        square: bool | None = ...,
        max_negative_only: bool | None = ...,
        max_positive_only: bool | None = ...,
        positive_first: bool | None = ...,
        positive_upper_bound: float | None = ...,
        exp_negative_weight: bool | None = ...,
        add_intra_mae: bool | None = ...,
        max_negative_margin: float | None = ...,
    ) -> None: ...

class GeneralTripletParameter(Message):
    MARGIN_FIELD_NUMBER: ClassVar[int]
    ADD_CENTER_LOSS_FIELD_NUMBER: ClassVar[int]
    HARDEST_ONLY_FIELD_NUMBER: ClassVar[int]
    POSITIVE_FIRST_FIELD_NUMBER: ClassVar[int]
    POSITIVE_UPPER_BOUND_FIELD_NUMBER: ClassVar[int]
    POSITIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    margin: float
    add_center_loss: bool
    hardest_only: bool
    positive_first: bool
    positive_upper_bound: float
    positive_weight: float
    negative_weight: float
    def __init__(
        self,
        *,
        margin: float | None = ...,
        add_center_loss: bool | None = ...,
        hardest_only: bool | None = ...,
        positive_first: bool | None = ...,
        positive_upper_bound: float | None = ...,
        positive_weight: float | None = ...,
        negative_weight: float | None = ...,
    ) -> None: ...

class GeometryParameter(Message):
    class Pad_mode(int, metaclass=EnumTypeWrapper):
        CONSTANT: ClassVar[int]
        MIRRORED: ClassVar[int]
        REPEAT_NEAREST: ClassVar[int]
    CONSTANT: ClassVar[int]
    MIRRORED: ClassVar[int]
    REPEAT_NEAREST: ClassVar[int]
    PROB_FIELD_NUMBER: ClassVar[int]
    PERSP_HORIZONTAL_FIELD_NUMBER: ClassVar[int]
    PERSP_VERTICAL_FIELD_NUMBER: ClassVar[int]
    ZOOM_OUT_FIELD_NUMBER: ClassVar[int]
    ZOOM_IN_FIELD_NUMBER: ClassVar[int]
    ZOOM_FACTOR_FIELD_NUMBER: ClassVar[int]
    PERSP_FACTOR_FIELD_NUMBER: ClassVar[int]
    ALL_EFFECTS_FIELD_NUMBER: ClassVar[int]
    PAD_MODE_FIELD_NUMBER: ClassVar[int]
    prob: float
    persp_horizontal: bool
    persp_vertical: bool
    zoom_out: bool
    zoom_in: bool
    zoom_factor: float
    persp_factor: float
    all_effects: bool
    pad_mode: int
    def __init__(
        self,
        *,
        prob: float | None = ...,
        persp_horizontal: bool | None = ...,
        persp_vertical: bool | None = ...,
        zoom_out: bool | None = ...,
        zoom_in: bool | None = ...,
        zoom_factor: float | None = ...,
        persp_factor: float | None = ...,
        all_effects: bool | None = ...,
        pad_mode: int | str | None = ...,
    ) -> None: ...

class GroupNormParameter(Message):
    EPS_FIELD_NUMBER: ClassVar[int]
    GROUP_NUM_FIELD_NUMBER: ClassVar[int]
    GROUP_FIELD_NUMBER: ClassVar[int]
    GROUP_RATIO_FIELD_NUMBER: ClassVar[int]
    NUM_GROUPS_FIELD_NUMBER: ClassVar[int]
    SCALE_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    AFFINE_FIELD_NUMBER: ClassVar[int]
    eps: float
    group_num: int
    group: int
    group_ratio: int
    num_groups: int
    @property
    def scale_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    affine: bool
    def __init__(
        self,
        *,
        eps: float | None = ...,
        group_num: int | None = ...,
        group: int | None = ...,
        group_ratio: int | None = ...,
        num_groups: int | None = ...,
        scale_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        affine: bool | None = ...,
    ) -> None: ...

class HardMiningParameter(Message):
    NUM_ROI_PER_IMAGE_FIELD_NUMBER: ClassVar[int]
    NUM_IMAGE_FIELD_NUMBER: ClassVar[int]
    num_roi_per_image: int
    num_image: int
    def __init__(
        self,
        *,
        num_roi_per_image: int | None = ...,
        num_image: int | None = ...,
    ) -> None: ...

class HistogramParameter(Message):
    NUM_LABELS_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    num_labels: int
    ignore_label: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        num_labels: int | None = ...,
        ignore_label: Iterable[int] | None = ...,
    ) -> None: ...

class HotspotParameter(Message):
    GAUSSIAN_STD_FIELD_NUMBER: ClassVar[int]
    OUTPUT_HEIGHT_FIELD_NUMBER: ClassVar[int]
    OUTPUT_WIDTH_FIELD_NUMBER: ClassVar[int]
    DATA_HEIGHT_FIELD_NUMBER: ClassVar[int]
    DATA_WIDTH_FIELD_NUMBER: ClassVar[int]
    MEAN_REMOVED_FIELD_NUMBER: ClassVar[int]
    gaussian_std: float
    output_height: int
    output_width: int
    data_height: int
    data_width: int
    mean_removed: bool
    def __init__(
        self,
        *,
        gaussian_std: float | None = ...,
        output_height: int | None = ...,
        output_width: int | None = ...,
        data_height: int | None = ...,
        data_width: int | None = ...,
        mean_removed: bool | None = ...,
    ) -> None: ...

class IgnoreOverlayParameter(Message):
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    ignore_label: int
    def __init__(
        self,
        *,
        ignore_label: int | None = ...,
    ) -> None: ...

class ImageGtDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    DOWNSAMPLE_RATE_FIELD_NUMBER: ClassVar[int]
    COORD_NUM_FIELD_NUMBER: ClassVar[int]
    FIELD_H_FIELD_NUMBER: ClassVar[int]
    FIELD_W_FIELD_NUMBER: ClassVar[int]
    FG_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    RESIZE_WIDTH_FIELD_NUMBER: ClassVar[int]
    RESIZE_HEIGHT_FIELD_NUMBER: ClassVar[int]
    CROP_WIDTH_FIELD_NUMBER: ClassVar[int]
    CROP_HEIGHT_FIELD_NUMBER: ClassVar[int]
    DO_MULTIPLE_SCALE_FIELD_NUMBER: ClassVar[int]
    MIN_SCALE_FIELD_NUMBER: ClassVar[int]
    MAX_SCALE_FIELD_NUMBER: ClassVar[int]
    MIN_WHASPECT_FIELD_NUMBER: ClassVar[int]
    MAX_WHASPECT_FIELD_NUMBER: ClassVar[int]
    MIN_GT_WIDTH_FIELD_NUMBER: ClassVar[int]
    MIN_GT_HEIGHT_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    OUTPUT_GT_BOXES_FIELD_NUMBER: ClassVar[int]
    FG_IMG_MULTIPLE_FIELD_NUMBER: ClassVar[int]
    CACHE_IMAGES_FIELD_NUMBER: ClassVar[int]
    ROOT_FOLDER_FIELD_NUMBER: ClassVar[int]
    source: str
    scale: float
    mean_file: str
    batch_size: int
    mirror: bool
    downsample_rate: RepeatedScalarFieldContainer[int]
    coord_num: int
    field_h: RepeatedScalarFieldContainer[int]
    field_w: RepeatedScalarFieldContainer[int]
    fg_threshold: float
    resize_width: int
    resize_height: int
    crop_width: int
    crop_height: int
    do_multiple_scale: bool
    min_scale: int
    max_scale: int
    min_whaspect: float
    max_whaspect: float
    min_gt_width: float
    min_gt_height: float
    shuffle: bool
    output_gt_boxes: bool
    fg_img_multiple: int
    cache_images: bool
    root_folder: str
    def __init__(
        self,
        *,
        source: str | None = ...,
        scale: float | None = ...,
        mean_file: str | None = ...,
        batch_size: int | None = ...,
        mirror: bool | None = ...,
        downsample_rate: Iterable[int] | None = ...,
        coord_num: int | None = ...,
        field_h: Iterable[int] | None = ...,
        field_w: Iterable[int] | None = ...,
        fg_threshold: float | None = ...,
        resize_width: int | None = ...,
        resize_height: int | None = ...,
        crop_width: int | None = ...,
        crop_height: int | None = ...,
        do_multiple_scale: bool | None = ...,
        min_scale: int | None = ...,
        max_scale: int | None = ...,
        min_whaspect: float | None = ...,
        max_whaspect: float | None = ...,
        min_gt_width: float | None = ...,
        min_gt_height: float | None = ...,
        shuffle: bool | None = ...,
        output_gt_boxes: bool | None = ...,
        fg_img_multiple: int | None = ...,
        cache_images: bool | None = ...,
        root_folder: str | None = ...,
    ) -> None: ...

class InfimumLossParamter(Message):
    INFIMUM_FIELD_NUMBER: ClassVar[int]
    infimum: float
    def __init__(
        self,
        *,
        infimum: float | None = ...,
    ) -> None: ...

class InnerDistanceParameter(Message):
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    TRANSPOSE_FIELD_NUMBER: ClassVar[int]
    DISTANCE_TYPE_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_FIELD_NUMBER: ClassVar[int]
    UPDATE_CENTER_ONLY_FIELD_NUMBER: ClassVar[int]
    num_output: int
    bias_term: bool
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    axis: int
    transpose: bool
    distance_type: str
    normalize: bool
    update_center_only: bool
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        bias_term: bool | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        transpose: bool | None = ...,
        distance_type: str | None = ...,
        normalize: bool | None = ...,
        update_center_only: bool | None = ...,
    ) -> None: ...

class InnerProductBlobParameter(Message):
    TRANSPOSE_FIELD_NUMBER: ClassVar[int]
    transpose: bool
    def __init__(
        self,
        *,
        transpose: bool | None = ...,
    ) -> None: ...

class InsanityParameter(Message):
    LB_FIELD_NUMBER: ClassVar[int]
    UB_FIELD_NUMBER: ClassVar[int]
    lb: float
    ub: float
    def __init__(
        self,
        *,
        lb: float | None = ...,
        ub: float | None = ...,
    ) -> None: ...

class InterpParameter(Message):
    class Mode(int, metaclass=EnumTypeWrapper):
        LINEAR: ClassVar[int]
        NEAREST: ClassVar[int]
    LINEAR: ClassVar[int]
    NEAREST: ClassVar[int]
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    ZOOM_FACTOR_FIELD_NUMBER: ClassVar[int]
    SHRINK_FACTOR_FIELD_NUMBER: ClassVar[int]
    PAD_BEG_FIELD_NUMBER: ClassVar[int]
    PAD_END_FIELD_NUMBER: ClassVar[int]
    MODE_FIELD_NUMBER: ClassVar[int]
    USE_BLOB_SIZE_FIELD_NUMBER: ClassVar[int]
    height: int
    width: int
    zoom_factor: int
    shrink_factor: int
    pad_beg: int
    pad_end: int
    mode: int
    use_blob_size: bool
    def __init__(
        self,
        *,
        height: int | None = ...,
        width: int | None = ...,
        zoom_factor: int | None = ...,
        shrink_factor: int | None = ...,
        pad_beg: int | None = ...,
        pad_end: int | None = ...,
        mode: int | str | None = ...,
        use_blob_size: bool | None = ...,
    ) -> None: ...

class L1LossParameter(Message):
    L2_PER_LOCATION_FIELD_NUMBER: ClassVar[int]
    L2_PRESCALE_BY_CHANNELS_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_BY_NUM_ENTRIES_FIELD_NUMBER: ClassVar[int]
    EPSILON_FIELD_NUMBER: ClassVar[int]
    PLATEAU_FIELD_NUMBER: ClassVar[int]
    l2_per_location: bool
    l2_prescale_by_channels: bool
    normalize_by_num_entries: bool
    epsilon: float
    plateau: float
    def __init__(
        self,
        *,
        l2_per_location: bool | None = ...,
        l2_prescale_by_channels: bool | None = ...,
        normalize_by_num_entries: bool | None = ...,
        epsilon: float | None = ...,
        plateau: float | None = ...,
    ) -> None: ...

class LabelsequenceAccuracyParameter(Message):
    BLANK_LABEL_FIELD_NUMBER: ClassVar[int]
    blank_label: int
    def __init__(
        self,
        *,
        blank_label: int | None = ...,
    ) -> None: ...

class LabelSpecificAddParameter(Message):
    BIAS_FIELD_NUMBER: ClassVar[int]
    TRANSFORM_TEST_FIELD_NUMBER: ClassVar[int]
    BIAS_BASE_FIELD_NUMBER: ClassVar[int]
    BIAS_GAMMA_FIELD_NUMBER: ClassVar[int]
    BIAS_POWER_FIELD_NUMBER: ClassVar[int]
    BIAS_MIN_FIELD_NUMBER: ClassVar[int]
    BIAS_MAX_FIELD_NUMBER: ClassVar[int]
    ITERATION_FIELD_NUMBER: ClassVar[int]
    bias: float
    transform_test: bool
    bias_base: float
    bias_gamma: float
    bias_power: float
    bias_min: float
    bias_max: float
    iteration: int
    def __init__(
        self,
        *,
        bias: float | None = ...,
        transform_test: bool | None = ...,
        bias_base: float | None = ...,
        bias_gamma: float | None = ...,
        bias_power: float | None = ...,
        bias_min: float | None = ...,
        bias_max: float | None = ...,
        iteration: int | None = ...,
    ) -> None: ...

class LabelSpecificAffineParameter(Message):
    SCALE_BASE_FIELD_NUMBER: ClassVar[int]
    SCALE_GAMMA_FIELD_NUMBER: ClassVar[int]
    SCALE_POWER_FIELD_NUMBER: ClassVar[int]
    SCALE_MAX_FIELD_NUMBER: ClassVar[int]
    TRANSFORM_TEST_FIELD_NUMBER: ClassVar[int]
    ITERATION_FIELD_NUMBER: ClassVar[int]
    BIAS_BASE_FIELD_NUMBER: ClassVar[int]
    BIAS_GAMMA_FIELD_NUMBER: ClassVar[int]
    BIAS_POWER_FIELD_NUMBER: ClassVar[int]
    BIAS_MAX_FIELD_NUMBER: ClassVar[int]
    POWER_BASE_FIELD_NUMBER: ClassVar[int]
    POWER_GAMMA_FIELD_NUMBER: ClassVar[int]
    POWER_POWER_FIELD_NUMBER: ClassVar[int]
    POWER_MIN_FIELD_NUMBER: ClassVar[int]
    AUTO_TUNE_FIELD_NUMBER: ClassVar[int]
    RESET_FIELD_NUMBER: ClassVar[int]
    scale_base: float
    scale_gamma: float
    scale_power: float
    scale_max: float
    transform_test: bool
    iteration: int
    bias_base: float
    bias_gamma: float
    bias_power: float
    bias_max: float
    power_base: float
    power_gamma: float
    power_power: float
    power_min: float
    auto_tune: bool
    reset: bool
    def __init__(
        self,
        *,
        scale_base: float | None = ...,
        scale_gamma: float | None = ...,
        scale_power: float | None = ...,
        scale_max: float | None = ...,
        transform_test: bool | None = ...,
        iteration: int | None = ...,
        bias_base: float | None = ...,
        bias_gamma: float | None = ...,
        bias_power: float | None = ...,
        bias_max: float | None = ...,
        power_base: float | None = ...,
        power_gamma: float | None = ...,
        power_power: float | None = ...,
        power_min: float | None = ...,
        auto_tune: bool | None = ...,
        reset: bool | None = ...,
    ) -> None: ...

class LabelSpecificHardMarginParameter(Message):
    POSITIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    positive_weight: float
    def __init__(
        self,
        *,
        positive_weight: float | None = ...,
    ) -> None: ...

class LabelSpecificMarginParameter(Message):
    class MarginType(int, metaclass=EnumTypeWrapper):
        HARD: ClassVar[int]
        SOFT: ClassVar[int]
    HARD: ClassVar[int]
    SOFT: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    MARGIN_BASE_FIELD_NUMBER: ClassVar[int]
    MARGIN_MAX_FIELD_NUMBER: ClassVar[int]
    POWER_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    ITERATION_FIELD_NUMBER: ClassVar[int]
    RESET_MARGIN_FIELD_NUMBER: ClassVar[int]
    MARGIN_ON_TEST_FIELD_NUMBER: ClassVar[int]
    AUTO_TUNE_FIELD_NUMBER: ClassVar[int]
    type: int
    margin_base: float
    margin_max: float
    power: float
    gamma: float
    iteration: int
    reset_margin: bool
    margin_on_test: bool
    auto_tune: bool
    def __init__(
        self,
        *,
        type: int | str | None = ...,
        margin_base: float | None = ...,
        margin_max: float | None = ...,
        power: float | None = ...,
        gamma: float | None = ...,
        iteration: int | None = ...,
        reset_margin: bool | None = ...,
        margin_on_test: bool | None = ...,
        auto_tune: bool | None = ...,
    ) -> None: ...

class LabelSpecificRescaleParameter(Message):
    POSITIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    POSITIVE_LOWER_BOUND_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_UPPER_BOUND_FIELD_NUMBER: ClassVar[int]
    RESCALE_TEST_FIELD_NUMBER: ClassVar[int]
    FOR_IP_FIELD_NUMBER: ClassVar[int]
    POSITIVE_WEIGHT_BASE_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    POWER_FIELD_NUMBER: ClassVar[int]
    POSITIVE_WEIGHT_MIN_FIELD_NUMBER: ClassVar[int]
    POSITIVE_WEIGHT_MAX_FIELD_NUMBER: ClassVar[int]
    ITERATION_FIELD_NUMBER: ClassVar[int]
    BIAS_FIX_FIELD_NUMBER: ClassVar[int]
    POWER_ON_POSITIVE_FIELD_NUMBER: ClassVar[int]
    positive_weight: float
    negative_weight: float
    positive_lower_bound: float
    negative_upper_bound: float
    rescale_test: bool
    for_ip: bool
    positive_weight_base: float
    gamma: float
    power: float
    positive_weight_min: float
    positive_weight_max: float
    iteration: int
    bias_fix: bool
    power_on_positive: bool
    def __init__(
        self,
        *,
        positive_weight: float | None = ...,
        negative_weight: float | None = ...,
        positive_lower_bound: float | None = ...,
        negative_upper_bound: float | None = ...,
        rescale_test: bool | None = ...,
        for_ip: bool | None = ...,
        positive_weight_base: float | None = ...,
        gamma: float | None = ...,
        power: float | None = ...,
        positive_weight_min: float | None = ...,
        positive_weight_max: float | None = ...,
        iteration: int | None = ...,
        bias_fix: bool | None = ...,
        power_on_positive: bool | None = ...,
    ) -> None: ...

class LabelSpecificStatisticsParameter(Message):
    SCALE_FOR_ANGLE_FIELD_NUMBER: ClassVar[int]
    SCALE_FACTOR_FIELD_NUMBER: ClassVar[int]
    scale_for_angle: bool
    scale_factor: float
    def __init__(
        self,
        *,
        scale_for_angle: bool | None = ...,
        scale_factor: float | None = ...,
    ) -> None: ...

class LargeMarginInnerProductParameter(Message):
    class LargeMarginType(int, metaclass=EnumTypeWrapper):
        SINGLE: ClassVar[int]
        DOUBLE: ClassVar[int]
        TRIPLE: ClassVar[int]
        QUADRUPLE: ClassVar[int]
    SINGLE: ClassVar[int]
    DOUBLE: ClassVar[int]
    TRIPLE: ClassVar[int]
    QUADRUPLE: ClassVar[int]
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    BASE_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    POWER_FIELD_NUMBER: ClassVar[int]
    ITERATION_FIELD_NUMBER: ClassVar[int]
    LAMBDA_MIN_FIELD_NUMBER: ClassVar[int]
    num_output: int
    type: int
    @property
    def weight_filler(self) -> FillerParameter: ...
    axis: int
    base: float
    gamma: float
    power: float
    iteration: int
    lambda_min: float
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        type: int | str | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        base: float | None = ...,
        gamma: float | None = ...,
        power: float | None = ...,
        iteration: int | None = ...,
        lambda_min: float | None = ...,
    ) -> None: ...

class LocalParameter(Message):
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: ClassVar[int]
    PAD_FIELD_NUMBER: ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    num_output: int
    bias_term: bool
    pad: int
    kernel_size: int
    stride: int
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        bias_term: bool | None = ...,
        pad: int | None = ...,
        kernel_size: int | None = ...,
        stride: int | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class LpqLossParameter(Message):
    L2_PRESCALE_BY_CHANNELS_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_BY_NUM_ENTRIES_FIELD_NUMBER: ClassVar[int]
    P_EPSILON_FIELD_NUMBER: ClassVar[int]
    Q_EPSILON_FIELD_NUMBER: ClassVar[int]
    PQ_EPISODE_STARTS_AT_ITER_FIELD_NUMBER: ClassVar[int]
    P_FIELD_NUMBER: ClassVar[int]
    Q_FIELD_NUMBER: ClassVar[int]
    l2_prescale_by_channels: bool
    normalize_by_num_entries: bool
    p_epsilon: float
    q_epsilon: float
    pq_episode_starts_at_iter: RepeatedScalarFieldContainer[int]
    p: RepeatedScalarFieldContainer[float]
    q: RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        *,
        l2_prescale_by_channels: bool | None = ...,
        normalize_by_num_entries: bool | None = ...,
        p_epsilon: float | None = ...,
        q_epsilon: float | None = ...,
        pq_episode_starts_at_iter: Iterable[int] | None = ...,
        p: Iterable[float] | None = ...,
        q: Iterable[float] | None = ...,
    ) -> None: ...

class LSTMParameter(Message):
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    CLIPPING_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    num_output: int
    clipping_threshold: float
    @property
    def weight_filler(self) -> FillerParameter: ...
    @property
    def bias_filler(self) -> FillerParameter: ...
    batch_size: int
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        clipping_threshold: float | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        bias_filler: FillerParameter | Mapping[str, Any] | None = ...,
        batch_size: int | None = ...,
    ) -> None: ...

class MarginInnerProductParameter(Message):
    class MarginType(int, metaclass=EnumTypeWrapper):
        SINGLE: ClassVar[int]
        DOUBLE: ClassVar[int]
        TRIPLE: ClassVar[int]
        QUADRUPLE: ClassVar[int]
    SINGLE: ClassVar[int]
    DOUBLE: ClassVar[int]
    TRIPLE: ClassVar[int]
    QUADRUPLE: ClassVar[int]
    NUM_OUTPUT_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: ClassVar[int]
    AXIS_FIELD_NUMBER: ClassVar[int]
    BASE_FIELD_NUMBER: ClassVar[int]
    GAMMA_FIELD_NUMBER: ClassVar[int]
    POWER_FIELD_NUMBER: ClassVar[int]
    ITERATION_FIELD_NUMBER: ClassVar[int]
    LAMBDA_MIN_FIELD_NUMBER: ClassVar[int]
    num_output: int
    type: int
    @property
    def weight_filler(self) -> FillerParameter: ...
    axis: int
    base: float
    gamma: float
    power: float
    iteration: int
    lambda_min: float
    def __init__(
        self,
        *,
        num_output: int | None = ...,
        type: int | str | None = ...,
        weight_filler: FillerParameter | Mapping[str, Any] | None = ...,
        axis: int | None = ...,
        base: float | None = ...,
        gamma: float | None = ...,
        power: float | None = ...,
        iteration: int | None = ...,
        lambda_min: float | None = ...,
    ) -> None: ...

class MaskResizeParameter(Message):
    OUTPUT_HEIGHT_FIELD_NUMBER: ClassVar[int]
    OUTPUT_WIDTH_FIELD_NUMBER: ClassVar[int]
    output_height: int
    output_width: int
    def __init__(
        self,
        *,
        output_height: int | None = ...,
        output_width: int | None = ...,
    ) -> None: ...

class MatReadParameter(Message):
    PREFIX_FIELD_NUMBER: ClassVar[int]
    SOURCE_FIELD_NUMBER: ClassVar[int]
    STRIP_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    prefix: str
    source: str
    strip: int
    batch_size: int
    def __init__(
        self,
        *,
        prefix: str | None = ...,
        source: str | None = ...,
        strip: int | None = ...,
        batch_size: int | None = ...,
    ) -> None: ...

class MatWriteParameter(Message):
    PREFIX_FIELD_NUMBER: ClassVar[int]
    SOURCE_FIELD_NUMBER: ClassVar[int]
    STRIP_FIELD_NUMBER: ClassVar[int]
    PERIOD_FIELD_NUMBER: ClassVar[int]
    prefix: str
    source: str
    strip: int
    period: int
    def __init__(
        self,
        *,
        prefix: str | None = ...,
        source: str | None = ...,
        strip: int | None = ...,
        period: int | None = ...,
    ) -> None: ...

class MeanParameter(Message):
    class MeanOperation(int, metaclass=EnumTypeWrapper):
        ADD: ClassVar[int]
        SUBTRACT: ClassVar[int]
    ADD: ClassVar[int]
    SUBTRACT: ClassVar[int]
    OPERATION_FIELD_NUMBER: ClassVar[int]
    FILE_FIELD_NUMBER: ClassVar[int]
    VALUE_FIELD_NUMBER: ClassVar[int]
    MEAN_SCALE_FIELD_NUMBER: ClassVar[int]
    INPUT_SCALE_FIELD_NUMBER: ClassVar[int]
    OUTPUT_SCALE_FIELD_NUMBER: ClassVar[int]
    operation: int
    file: str
    value: RepeatedScalarFieldContainer[float]
    mean_scale: float
    input_scale: float
    output_scale: float
    def __init__(
        self,
        *,
        operation: int | str | None = ...,
        file: str | None = ...,
        value: Iterable[float] | None = ...,
        mean_scale: float | None = ...,
        input_scale: float | None = ...,
        output_scale: float | None = ...,
    ) -> None: ...

class MemoryOptimizationParameter(Message):
    OPTIMIZE_TRAIN_FIELD_NUMBER: ClassVar[int]
    OPTIMIZE_TEST_FIELD_NUMBER: ClassVar[int]
    EXCLUDE_BLOB_FIELD_NUMBER: ClassVar[int]
    optimize_train: bool
    optimize_test: bool
    exclude_blob: RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        *,
        optimize_train: bool | None = ...,
        optimize_test: bool | None = ...,
        exclude_blob: Iterable[str] | None = ...,
    ) -> None: ...

class MILDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    NUM_SCALES_FIELD_NUMBER: ClassVar[int]
    SCALE_FACTOR_FIELD_NUMBER: ClassVar[int]
    CHANNELS_FIELD_NUMBER: ClassVar[int]
    IMAGES_PER_BATCH_FIELD_NUMBER: ClassVar[int]
    N_CLASSES_FIELD_NUMBER: ClassVar[int]
    LABEL_FILE_FIELD_NUMBER: ClassVar[int]
    ROOT_DIR_FIELD_NUMBER: ClassVar[int]
    EXT_FIELD_NUMBER: ClassVar[int]
    RANDOMIZE_FIELD_NUMBER: ClassVar[int]
    source: str
    num_scales: int
    scale_factor: float
    channels: int
    images_per_batch: int
    n_classes: int
    label_file: str
    root_dir: str
    ext: str
    randomize: bool
    def __init__(
        self,
        *,
        source: str | None = ...,
        num_scales: int | None = ...,
        scale_factor: float | None = ...,
        channels: int | None = ...,
        images_per_batch: int | None = ...,
        n_classes: int | None = ...,
        label_file: str | None = ...,
        root_dir: str | None = ...,
        ext: str | None = ...,
        randomize: bool | None = ...,
    ) -> None: ...

class MILParameter(Message):
    class MILType(int, metaclass=EnumTypeWrapper):
        MAX: ClassVar[int]
        NOR: ClassVar[int]
    MAX: ClassVar[int]
    NOR: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    type: int
    def __init__(
        self,
        *,
        type: int | str | None = ...,
    ) -> None: ...

class MnActivationParameter(Message):
    NUM_NODES_IN_FIELD_NUMBER: ClassVar[int]
    NUM_NODES_OUT_FIELD_NUMBER: ClassVar[int]
    MODEL_PARTS_IN_FIELD_NUMBER: ClassVar[int]
    MODEL_PARTS_OUT_FIELD_NUMBER: ClassVar[int]
    NEED_REDUCE_FIELD_NUMBER: ClassVar[int]
    num_nodes_in: int
    num_nodes_out: int
    model_parts_in: int
    model_parts_out: int
    need_reduce: bool
    def __init__(
        self,
        *,
        num_nodes_in: int | None = ...,
        num_nodes_out: int | None = ...,
        model_parts_in: int | None = ...,
        model_parts_out: int | None = ...,
        need_reduce: bool | None = ...,
    ) -> None: ...

class MnModelParallelParameter(Message):
    LAYER_FROM_FIELD_NUMBER: ClassVar[int]
    LAYER_TO_FIELD_NUMBER: ClassVar[int]
    NUM_NODES_FIELD_NUMBER: ClassVar[int]
    MODEL_PARTS_FIELD_NUMBER: ClassVar[int]
    layer_from: str
    layer_to: str
    num_nodes: int
    model_parts: int
    def __init__(
        self,
        *,
        layer_from: str | None = ...,
        layer_to: str | None = ...,
        num_nodes: int | None = ...,
        model_parts: int | None = ...,
    ) -> None: ...

class MnParamGradCompressLayerTypeList(Message):
    LAYER_TYPE_FIELD_NUMBER: ClassVar[int]
    layer_type: RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        *,
        layer_type: Iterable[str] | None = ...,
    ) -> None: ...

class MnParamGradCompressParameter(Message):
    PARAM_GRAD_COMPRESS_ENABLE_FIELD_NUMBER: ClassVar[int]
    param_grad_compress_enable: RepeatedScalarFieldContainer[bool]
    def __init__(
        self,
        *,
        param_grad_compress_enable: Iterable[bool] | None = ...,
    ) -> None: ...

class MultiBoxLossParameter(Message):
    class LocLossType(int, metaclass=EnumTypeWrapper):
        L2: ClassVar[int]
        SMOOTH_L1: ClassVar[int]
    L2: ClassVar[int]
    SMOOTH_L1: ClassVar[int]
    class ConfLossType(int, metaclass=EnumTypeWrapper):
        SOFTMAX: ClassVar[int]
        LOGISTIC: ClassVar[int]
    SOFTMAX: ClassVar[int]
    LOGISTIC: ClassVar[int]
    class MatchType(int, metaclass=EnumTypeWrapper):
        BIPARTITE: ClassVar[int]
        PER_PREDICTION: ClassVar[int]
    BIPARTITE: ClassVar[int]
    PER_PREDICTION: ClassVar[int]
    class MiningType(int, metaclass=EnumTypeWrapper):
        NONE: ClassVar[int]
        MAX_NEGATIVE: ClassVar[int]
        HARD_EXAMPLE: ClassVar[int]
    NONE: ClassVar[int]
    MAX_NEGATIVE: ClassVar[int]
    HARD_EXAMPLE: ClassVar[int]
    LOC_LOSS_TYPE_FIELD_NUMBER: ClassVar[int]
    CONF_LOSS_TYPE_FIELD_NUMBER: ClassVar[int]
    LOC_WEIGHT_FIELD_NUMBER: ClassVar[int]
    NUM_CLASSES_FIELD_NUMBER: ClassVar[int]
    SHARE_LOCATION_FIELD_NUMBER: ClassVar[int]
    MATCH_TYPE_FIELD_NUMBER: ClassVar[int]
    OVERLAP_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    USE_PRIOR_FOR_MATCHING_FIELD_NUMBER: ClassVar[int]
    BACKGROUND_LABEL_ID_FIELD_NUMBER: ClassVar[int]
    USE_DIFFICULT_GT_FIELD_NUMBER: ClassVar[int]
    DO_NEG_MINING_FIELD_NUMBER: ClassVar[int]
    NEG_POS_RATIO_FIELD_NUMBER: ClassVar[int]
    NEG_OVERLAP_FIELD_NUMBER: ClassVar[int]
    CODE_TYPE_FIELD_NUMBER: ClassVar[int]
    ENCODE_VARIANCE_IN_TARGET_FIELD_NUMBER: ClassVar[int]
    MAP_OBJECT_TO_AGNOSTIC_FIELD_NUMBER: ClassVar[int]
    IGNORE_CROSS_BOUNDARY_BBOX_FIELD_NUMBER: ClassVar[int]
    BP_INSIDE_FIELD_NUMBER: ClassVar[int]
    MINING_TYPE_FIELD_NUMBER: ClassVar[int]
    NMS_PARAM_FIELD_NUMBER: ClassVar[int]
    SAMPLE_SIZE_FIELD_NUMBER: ClassVar[int]
    USE_PRIOR_FOR_NMS_FIELD_NUMBER: ClassVar[int]
    IGNORE_DIFFICULT_GT_FIELD_NUMBER: ClassVar[int]
    OBJECTNESS_SCORE_FIELD_NUMBER: ClassVar[int]
    loc_loss_type: int
    conf_loss_type: int
    loc_weight: float
    num_classes: int
    share_location: bool
    match_type: int
    overlap_threshold: float
    use_prior_for_matching: bool
    background_label_id: int
    use_difficult_gt: bool
    do_neg_mining: bool
    neg_pos_ratio: float
    neg_overlap: float
    code_type: int
    encode_variance_in_target: bool
    map_object_to_agnostic: bool
    ignore_cross_boundary_bbox: bool
    bp_inside: bool
    mining_type: int
    @property
    def nms_param(self) -> NonMaximumSuppressionParameter: ...
    sample_size: int
    use_prior_for_nms: bool
    ignore_difficult_gt: bool
    objectness_score: float
    def __init__(
        self,
        *,
        loc_loss_type: int | str | None = ...,
        conf_loss_type: int | str | None = ...,
        loc_weight: float | None = ...,
        num_classes: int | None = ...,
        share_location: bool | None = ...,
        match_type: int | str | None = ...,
        overlap_threshold: float | None = ...,
        use_prior_for_matching: bool | None = ...,
        background_label_id: int | None = ...,
        use_difficult_gt: bool | None = ...,
        do_neg_mining: bool | None = ...,
        neg_pos_ratio: float | None = ...,
        neg_overlap: float | None = ...,
        code_type: int | str | None = ...,
        encode_variance_in_target: bool | None = ...,
        map_object_to_agnostic: bool | None = ...,
        ignore_cross_boundary_bbox: bool | None = ...,
        bp_inside: bool | None = ...,
        mining_type: int | str | None = ...,
        nms_param: NonMaximumSuppressionParameter | Mapping[str, Any] | None = ...,
        sample_size: int | None = ...,
        use_prior_for_nms: bool | None = ...,
        ignore_difficult_gt: bool | None = ...,
        objectness_score: float | None = ...,
    ) -> None: ...

class MultinodeLayerParameter(Message):
    NUM_NODES_FIELD_NUMBER: ClassVar[int]
    MODEL_PARTS_FIELD_NUMBER: ClassVar[int]
    num_nodes: int
    model_parts: int
    def __init__(
        self,
        *,
        num_nodes: int | None = ...,
        model_parts: int | None = ...,
    ) -> None: ...

class MultinodeParameter(Message):
    MODEL_PARALLEL_FIELD_NUMBER: ClassVar[int]
    COMPRESS_LAYER_TYPE_LIST_FIELD_NUMBER: ClassVar[int]
    model_parallel: RepeatedCompositeFieldContainer[MnModelParallelParameter]
    @property
    def compress_layer_type_list(self) -> MnParamGradCompressLayerTypeList: ...
    def __init__(
        self,
        *,
        model_parallel: Iterable[MnModelParallelParameter | Mapping[str, Any]] | None = ...,
        compress_layer_type_list: MnParamGradCompressLayerTypeList | Mapping[str, Any] | None = ...,
    ) -> None: ...

class MultiPhaseSolverParameter(Message):
    PARAMS_PAIR_FIELD_NUMBER: ClassVar[int]
    params_pair: RepeatedCompositeFieldContainer[SolverBatchSizePair]
    def __init__(
        self,
        *,
        params_pair: Iterable[SolverBatchSizePair | Mapping[str, Any]] | None = ...,
    ) -> None: ...

class NCAParameter(Message):
    MIN_NEGATIVE_ONLY_FIELD_NUMBER: ClassVar[int]
    min_negative_only: bool
    def __init__(
        self,
        *,
        min_negative_only: bool | None = ...,
    ) -> None: ...

class NoiseParameter(Message):
    PROB_FIELD_NUMBER: ClassVar[int]
    HIST_EQ_FIELD_NUMBER: ClassVar[int]
    INVERSE_FIELD_NUMBER: ClassVar[int]
    DECOLORIZE_FIELD_NUMBER: ClassVar[int]
    GAUSS_BLUR_FIELD_NUMBER: ClassVar[int]
    JPEG_FIELD_NUMBER: ClassVar[int]
    POSTERIZE_FIELD_NUMBER: ClassVar[int]
    ERODE_FIELD_NUMBER: ClassVar[int]
    SALTPEPPER_FIELD_NUMBER: ClassVar[int]
    SALTPEPPER_PARAM_FIELD_NUMBER: ClassVar[int]
    CLAHE_FIELD_NUMBER: ClassVar[int]
    CONVERT_TO_HSV_FIELD_NUMBER: ClassVar[int]
    CONVERT_TO_LAB_FIELD_NUMBER: ClassVar[int]
    ALL_EFFECTS_FIELD_NUMBER: ClassVar[int]
    prob: float
    hist_eq: bool
    inverse: bool
    decolorize: bool
    gauss_blur: bool
    jpeg: float
    posterize: bool
    erode: bool
    saltpepper: bool
    @property
    def saltpepper_param(self) -> SaltPepperParameter: ...
    clahe: bool
    convert_to_hsv: bool
    convert_to_lab: bool
    all_effects: bool
    def __init__(
        self,
        *,
        prob: float | None = ...,
        hist_eq: bool | None = ...,
        inverse: bool | None = ...,
        decolorize: bool | None = ...,
        gauss_blur: bool | None = ...,
        jpeg: float | None = ...,
        posterize: bool | None = ...,
        erode: bool | None = ...,
        saltpepper: bool | None = ...,
        saltpepper_param: SaltPepperParameter | Mapping[str, Any] | None = ...,
        clahe: bool | None = ...,
        convert_to_hsv: bool | None = ...,
        convert_to_lab: bool | None = ...,
        all_effects: bool | None = ...,
    ) -> None: ...

class NonMaximumSuppressionParameter(Message):
    NMS_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    TOP_K_FIELD_NUMBER: ClassVar[int]
    ETA_FIELD_NUMBER: ClassVar[int]
    SOFT_NMS_FIELD_NUMBER: ClassVar[int]
    THETA_FIELD_NUMBER: ClassVar[int]
    nms_threshold: float
    top_k: int
    eta: float
    soft_nms: bool
    theta: float
    def __init__(
        self,
        *,
        nms_threshold: float | None = ...,
        top_k: int | None = ...,
        eta: float | None = ...,
        soft_nms: bool | None = ...,
        theta: float | None = ...,
    ) -> None: ...

class NormalizeParameter(Message):
    ACROSS_SPATIAL_FIELD_NUMBER: ClassVar[int]
    SCALE_FILLER_FIELD_NUMBER: ClassVar[int]
    CHANNEL_SHARED_FIELD_NUMBER: ClassVar[int]
    EPS_FIELD_NUMBER: ClassVar[int]
    FIX_SCALE_FIELD_NUMBER: ClassVar[int]
    across_spatial: bool
    @property
    def scale_filler(self) -> FillerParameter: ...
    channel_shared: bool
    eps: float
    fix_scale: bool
    def __init__(
        self,
        *,
        across_spatial: bool | None = ...,
        scale_filler: FillerParameter | Mapping[str, Any] | None = ...,
        channel_shared: bool | None = ...,
        eps: float | None = ...,
        fix_scale: bool | None = ...,
    ) -> None: ...

class NormFaceNoiseParameter(Message):
    GAUSSIAN_STD_FIELD_NUMBER: ClassVar[int]
    UNIFORM_RANGE_FIELD_NUMBER: ClassVar[int]
    BIAS_FIELD_NUMBER: ClassVar[int]
    gaussian_std: float
    uniform_range: float
    bias: float
    def __init__(
        self,
        *,
        gaussian_std: float | None = ...,
        uniform_range: float | None = ...,
        bias: float | None = ...,
    ) -> None: ...

class NormFaceNormalizeParameter(Message):
    NORMALIZE_TYPE_FIELD_NUMBER: ClassVar[int]
    FIX_GRADIENT_FIELD_NUMBER: ClassVar[int]
    BP_NORM_FIELD_NUMBER: ClassVar[int]
    normalize_type: str
    fix_gradient: bool
    bp_norm: bool
    def __init__(
        self,
        *,
        normalize_type: str | None = ...,
        fix_gradient: bool | None = ...,
        bp_norm: bool | None = ...,
    ) -> None: ...

class NormFaceResizeParameter(Message):
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    IS_PYRAMID_TEST_FIELD_NUMBER: ClassVar[int]
    OUT_HEIGHT_SCALE_FIELD_NUMBER: ClassVar[int]
    OUT_WIDTH_SCALE_FIELD_NUMBER: ClassVar[int]
    height: int
    width: int
    is_pyramid_test: bool
    out_height_scale: float
    out_width_scale: float
    def __init__(
        self,
        *,
        height: int | None = ...,
        width: int | None = ...,
        is_pyramid_test: bool | None = ...,
        out_height_scale: float | None = ...,
        out_width_scale: float | None = ...,
    ) -> None: ...

class OneHotParameter(Message):
    NUM_LABELS_FIELD_NUMBER: ClassVar[int]
    num_labels: int
    def __init__(
        self,
        *,
        num_labels: int | None = ...,
    ) -> None: ...

class OrdinalRegressionParameter(Message):
    K_FIELD_NUMBER: ClassVar[int]
    WEIGHT_FILE_FIELD_NUMBER: ClassVar[int]
    k: int
    weight_file: str
    def __init__(
        self,
        *,
        k: int | None = ...,
        weight_file: str | None = ...,
    ) -> None: ...

class PaddingParameter(Message):
    PAD_BEG_FIELD_NUMBER: ClassVar[int]
    PAD_END_FIELD_NUMBER: ClassVar[int]
    pad_beg: int
    pad_end: int
    def __init__(
        self,
        *,
        pad_beg: int | None = ...,
        pad_end: int | None = ...,
    ) -> None: ...

class PairwiseParameter(Message):
    class PairwiseOp(int, metaclass=EnumTypeWrapper):
        SUM: ClassVar[int]
        PROD: ClassVar[int]
        MAX: ClassVar[int]
    SUM: ClassVar[int]
    PROD: ClassVar[int]
    MAX: ClassVar[int]
    OPERATION_FIELD_NUMBER: ClassVar[int]
    COEFF_FIELD_NUMBER: ClassVar[int]
    operation: int
    coeff: RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        *,
        operation: int | str | None = ...,
        coeff: Iterable[float] | None = ...,
    ) -> None: ...

class ParseEvaluateParameter(Message):
    NUM_LABELS_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    num_labels: int
    ignore_label: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        num_labels: int | None = ...,
        ignore_label: Iterable[int] | None = ...,
    ) -> None: ...

class PermuteParameter(Message):
    ORDER_FIELD_NUMBER: ClassVar[int]
    order: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        order: Iterable[int] | None = ...,
    ) -> None: ...

class PredictBoxParameter(Message):
    STRIDE_FIELD_NUMBER: ClassVar[int]
    RECEPTIVE_FIELD_FIELD_NUMBER: ClassVar[int]
    NMS_FIELD_NUMBER: ClassVar[int]
    OUTPUT_VECTOR_FIELD_NUMBER: ClassVar[int]
    POSITIVE_THRESH_FIELD_NUMBER: ClassVar[int]
    BBREG_EXP_FIELD_NUMBER: ClassVar[int]
    stride: int
    receptive_field: int
    nms: bool
    output_vector: bool
    positive_thresh: float
    bbreg_exp: bool
    def __init__(
        self,
        *,
        stride: int | None = ...,
        receptive_field: int | None = ...,
        nms: bool | None = ...,
        output_vector: bool | None = ...,
        positive_thresh: float | None = ...,
        bbreg_exp: bool | None = ...,
    ) -> None: ...

class PriorBoxParameter(Message):
    class CodeType(int, metaclass=EnumTypeWrapper):
        CORNER: ClassVar[int]
        CENTER_SIZE: ClassVar[int]
        CORNER_SIZE: ClassVar[int]
    CORNER: ClassVar[int]
    CENTER_SIZE: ClassVar[int]
    CORNER_SIZE: ClassVar[int]
    MIN_SIZE_FIELD_NUMBER: ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: ClassVar[int]
    ASPECT_RATIO_FIELD_NUMBER: ClassVar[int]
    FLIP_FIELD_NUMBER: ClassVar[int]
    CLIP_FIELD_NUMBER: ClassVar[int]
    VARIANCE_FIELD_NUMBER: ClassVar[int]
    IMG_SIZE_FIELD_NUMBER: ClassVar[int]
    IMG_H_FIELD_NUMBER: ClassVar[int]
    IMG_W_FIELD_NUMBER: ClassVar[int]
    STEP_FIELD_NUMBER: ClassVar[int]
    STEP_H_FIELD_NUMBER: ClassVar[int]
    STEP_W_FIELD_NUMBER: ClassVar[int]
    OFFSET_FIELD_NUMBER: ClassVar[int]
    REDUCE_BOXES_FIELD_NUMBER: ClassVar[int]
    min_size: RepeatedScalarFieldContainer[float]
    max_size: RepeatedScalarFieldContainer[float]
    aspect_ratio: RepeatedScalarFieldContainer[float]
    flip: bool
    clip: bool
    variance: RepeatedScalarFieldContainer[float]
    img_size: int
    img_h: int
    img_w: int
    step: float
    step_h: float
    step_w: float
    offset: float
    reduce_boxes: bool
    def __init__(
        self,
        *,
        min_size: Iterable[float] | None = ...,
        max_size: Iterable[float] | None = ...,
        aspect_ratio: Iterable[float] | None = ...,
        flip: bool | None = ...,
        clip: bool | None = ...,
        variance: Iterable[float] | None = ...,
        img_size: int | None = ...,
        img_h: int | None = ...,
        img_w: int | None = ...,
        step: float | None = ...,
        step_h: float | None = ...,
        step_w: float | None = ...,
        offset: float | None = ...,
        reduce_boxes: bool | None = ...,
    ) -> None: ...

class ProposalParameter(Message):
    FEAT_STRIDE_FIELD_NUMBER: ClassVar[int]
    BASE_SIZE_FIELD_NUMBER: ClassVar[int]
    MIN_SIZE_FIELD_NUMBER: ClassVar[int]
    RATIO_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    PRE_NMS_TOPN_FIELD_NUMBER: ClassVar[int]
    POST_NMS_TOPN_FIELD_NUMBER: ClassVar[int]
    NMS_THRESH_FIELD_NUMBER: ClassVar[int]
    feat_stride: int
    base_size: int
    min_size: int
    ratio: RepeatedScalarFieldContainer[float]
    scale: RepeatedScalarFieldContainer[float]
    pre_nms_topn: int
    post_nms_topn: int
    nms_thresh: float
    def __init__(
        self,
        *,
        feat_stride: int | None = ...,
        base_size: int | None = ...,
        min_size: int | None = ...,
        ratio: Iterable[float] | None = ...,
        scale: Iterable[float] | None = ...,
        pre_nms_topn: int | None = ...,
        post_nms_topn: int | None = ...,
        nms_thresh: float | None = ...,
    ) -> None: ...

class ProposalTargetParameter(Message):
    CLS_NUM_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    FG_FRACTION_FIELD_NUMBER: ClassVar[int]
    NUM_IMG_PER_BATCH_FIELD_NUMBER: ClassVar[int]
    FG_THR_FIELD_NUMBER: ClassVar[int]
    BG_THR_HG_FIELD_NUMBER: ClassVar[int]
    BG_THR_LW_FIELD_NUMBER: ClassVar[int]
    IMG_WIDTH_FIELD_NUMBER: ClassVar[int]
    IMG_HEIGHT_FIELD_NUMBER: ClassVar[int]
    IOU_WEIGHTED_FIELD_NUMBER: ClassVar[int]
    BBOX_THR_LW_FIELD_NUMBER: ClassVar[int]
    BBOX_THR_HG_FIELD_NUMBER: ClassVar[int]
    PICKUP_DISCARD_FIELD_NUMBER: ClassVar[int]
    APPEND_GTBOX_FIELD_NUMBER: ClassVar[int]
    cls_num: int
    batch_size: int
    fg_fraction: float
    num_img_per_batch: int
    fg_thr: float
    bg_thr_hg: float
    bg_thr_lw: float
    img_width: int
    img_height: int
    iou_weighted: bool
    bbox_thr_lw: float
    bbox_thr_hg: float
    pickup_discard: bool
    append_gtbox: bool
    def __init__(
        self,
        *,
        cls_num: int | None = ...,
        batch_size: int | None = ...,
        fg_fraction: float | None = ...,
        num_img_per_batch: int | None = ...,
        fg_thr: float | None = ...,
        bg_thr_hg: float | None = ...,
        bg_thr_lw: float | None = ...,
        img_width: int | None = ...,
        img_height: int | None = ...,
        iou_weighted: bool | None = ...,
        bbox_thr_lw: float | None = ...,
        bbox_thr_hg: float | None = ...,
        pickup_discard: bool | None = ...,
        append_gtbox: bool | None = ...,
    ) -> None: ...

class PSROIPoolingParameter(Message):
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    OUTPUT_DIM_FIELD_NUMBER: ClassVar[int]
    GROUP_SIZE_FIELD_NUMBER: ClassVar[int]
    spatial_scale: float
    output_dim: int
    group_size: int
    def __init__(
        self,
        *,
        spatial_scale: float | None = ...,
        output_dim: int | None = ...,
        group_size: int | None = ...,
    ) -> None: ...

class QuantizationParameter(Message):
    class Precision(int, metaclass=EnumTypeWrapper):
        DYNAMIC_FIXED_POINT: ClassVar[int]
    DYNAMIC_FIXED_POINT: ClassVar[int]
    class Rounding(int, metaclass=EnumTypeWrapper):
        NEAREST: ClassVar[int]
    NEAREST: ClassVar[int]
    PRECISION_FIELD_NUMBER: ClassVar[int]
    ROUNDING_SCHEME_FIELD_NUMBER: ClassVar[int]
    BW_LAYER_IN_FIELD_NUMBER: ClassVar[int]
    BW_LAYER_OUT_FIELD_NUMBER: ClassVar[int]
    BW_PARAMS_FIELD_NUMBER: ClassVar[int]
    FL_LAYER_IN_FIELD_NUMBER: ClassVar[int]
    FL_LAYER_OUT_FIELD_NUMBER: ClassVar[int]
    FL_PARAMS_FIELD_NUMBER: ClassVar[int]
    SCALE_IN_FIELD_NUMBER: ClassVar[int]
    SCALE_OUT_FIELD_NUMBER: ClassVar[int]
    SCALE_PARAMS_FIELD_NUMBER: ClassVar[int]
    IS_NEGATIVE_INPUT_FIELD_NUMBER: ClassVar[int]
    FORCE_U8_INPUT_FIELD_NUMBER: ClassVar[int]
    precision: int
    rounding_scheme: int
    bw_layer_in: int
    bw_layer_out: int
    bw_params: int
    fl_layer_in: RepeatedScalarFieldContainer[int]
    fl_layer_out: RepeatedScalarFieldContainer[int]
    fl_params: RepeatedScalarFieldContainer[int]
    scale_in: RepeatedScalarFieldContainer[float]
    scale_out: RepeatedScalarFieldContainer[float]
    scale_params: RepeatedScalarFieldContainer[float]
    is_negative_input: bool
    force_u8_input: bool
    def __init__(
        self,
        *,
        precision: int | str | None = ...,
        rounding_scheme: int | str | None = ...,
        bw_layer_in: int | None = ...,
        bw_layer_out: int | None = ...,
        bw_params: int | None = ...,
        fl_layer_in: Iterable[int] | None = ...,
        fl_layer_out: Iterable[int] | None = ...,
        fl_params: Iterable[int] | None = ...,
        scale_in: Iterable[float] | None = ...,
        scale_out: Iterable[float] | None = ...,
        scale_params: Iterable[float] | None = ...,
        is_negative_input: bool | None = ...,
        force_u8_input: bool | None = ...,
    ) -> None: ...

class RandomAspectRatioParameter(Message):
    MIN_AREA_RATIO_FIELD_NUMBER: ClassVar[int]
    MAX_AREA_RATIO_FIELD_NUMBER: ClassVar[int]
    ASPECT_RATIO_CHANGE_FIELD_NUMBER: ClassVar[int]
    MAX_ATTEMPT_FIELD_NUMBER: ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    min_area_ratio: float
    max_area_ratio: float
    aspect_ratio_change: float
    max_attempt: int
    @property
    def resize_param(self) -> ResizeParameter: ...
    def __init__(
        self,
        *,
        min_area_ratio: float | None = ...,
        max_area_ratio: float | None = ...,
        aspect_ratio_change: float | None = ...,
        max_attempt: int | None = ...,
        resize_param: ResizeParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class RandomGeneratorParameter(Message):
    RAND_TYPE_FIELD_NUMBER: ClassVar[int]
    EXP_FIELD_NUMBER: ClassVar[int]
    MEAN_FIELD_NUMBER: ClassVar[int]
    SPREAD_FIELD_NUMBER: ClassVar[int]
    PROB_FIELD_NUMBER: ClassVar[int]
    APPLY_SCHEDULE_FIELD_NUMBER: ClassVar[int]
    DISCRETIZE_FIELD_NUMBER: ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: ClassVar[int]
    rand_type: str
    exp: bool
    mean: float
    spread: float
    prob: float
    apply_schedule: bool
    discretize: bool
    multiplier: float
    def __init__(
        self,
        *,
        rand_type: str | None = ...,
        exp: bool | None = ...,
        mean: float | None = ...,
        spread: float | None = ...,
        prob: float | None = ...,
        apply_schedule: bool | None = ...,
        discretize: bool | None = ...,
        multiplier: float | None = ...,
    ) -> None: ...

class RandomResizeParameter(Message):
    MIN_SIZE_FIELD_NUMBER: ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    min_size: int
    max_size: int
    @property
    def resize_param(self) -> ResizeParameter: ...
    def __init__(
        self,
        *,
        min_size: int | None = ...,
        max_size: int | None = ...,
        resize_param: ResizeParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class ReaderParameter(Message):
    FILE_FIELD_NUMBER: ClassVar[int]
    NUM_FIELD_NUMBER: ClassVar[int]
    file: str
    num: int
    def __init__(
        self,
        *,
        file: str | None = ...,
        num: int | None = ...,
    ) -> None: ...

class RedAccuracyParameter(Message):
    TOP_K_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    CLASS_NUM_FIELD_NUMBER: ClassVar[int]
    top_k: int
    ignore_label: int
    class_num: int
    def __init__(
        self,
        *,
        top_k: int | None = ...,
        ignore_label: int | None = ...,
        class_num: int | None = ...,
    ) -> None: ...

class RedSoftmaxWithLossParameter(Message):
    CLASS_NUM_FIELD_NUMBER: ClassVar[int]
    class_num: int
    def __init__(
        self,
        *,
        class_num: int | None = ...,
    ) -> None: ...

class RegionLossParameter(Message):
    SIDE_FIELD_NUMBER: ClassVar[int]
    NUM_CLASS_FIELD_NUMBER: ClassVar[int]
    BIAS_MATCH_FIELD_NUMBER: ClassVar[int]
    COORDS_FIELD_NUMBER: ClassVar[int]
    NUM_FIELD_NUMBER: ClassVar[int]
    SOFTMAX_FIELD_NUMBER: ClassVar[int]
    JITTER_FIELD_NUMBER: ClassVar[int]
    RESCORE_FIELD_NUMBER: ClassVar[int]
    OBJECT_SCALE_FIELD_NUMBER: ClassVar[int]
    CLASS_SCALE_FIELD_NUMBER: ClassVar[int]
    NOOBJECT_SCALE_FIELD_NUMBER: ClassVar[int]
    COORD_SCALE_FIELD_NUMBER: ClassVar[int]
    ABSOLUTE_FIELD_NUMBER: ClassVar[int]
    THRESH_FIELD_NUMBER: ClassVar[int]
    RANDOM_FIELD_NUMBER: ClassVar[int]
    BIASES_FIELD_NUMBER: ClassVar[int]
    SOFTMAX_TREE_FIELD_NUMBER: ClassVar[int]
    CLASS_MAP_FIELD_NUMBER: ClassVar[int]
    NUM_LABEL_FIELD_NUMBER: ClassVar[int]
    side: int
    num_class: int
    bias_match: int
    coords: int
    num: int
    softmax: int
    jitter: float
    rescore: int
    object_scale: float
    class_scale: float
    noobject_scale: float
    coord_scale: float
    absolute: int
    thresh: float
    random: int
    biases: RepeatedScalarFieldContainer[float]
    softmax_tree: str
    class_map: str
    num_label: int
    def __init__(
        self,
        *,
        side: int | None = ...,
        num_class: int | None = ...,
        bias_match: int | None = ...,
        coords: int | None = ...,
        num: int | None = ...,
        softmax: int | None = ...,
        jitter: float | None = ...,
        rescore: int | None = ...,
        object_scale: float | None = ...,
        class_scale: float | None = ...,
        noobject_scale: float | None = ...,
        coord_scale: float | None = ...,
        absolute: int | None = ...,
        thresh: float | None = ...,
        random: int | None = ...,
        biases: Iterable[float] | None = ...,
        softmax_tree: str | None = ...,
        class_map: str | None = ...,
        num_label: int | None = ...,
    ) -> None: ...

class RegionParameter(Message):
    CLASSES_FIELD_NUMBER: ClassVar[int]
    COORDS_FIELD_NUMBER: ClassVar[int]
    BOXES_OF_EACH_GRID_FIELD_NUMBER: ClassVar[int]
    SOFTMAX_FIELD_NUMBER: ClassVar[int]
    ANCHORS_FIELD_NUMBER: ClassVar[int]
    NUM_FIELD_NUMBER: ClassVar[int]
    BIASES_FIELD_NUMBER: ClassVar[int]
    classes: int
    coords: int
    boxes_of_each_grid: int
    softmax: bool
    anchors: str
    num: int
    biases: RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        *,
        classes: int | None = ...,
        coords: int | None = ...,
        boxes_of_each_grid: int | None = ...,
        softmax: bool | None = ...,
        anchors: str | None = ...,
        num: int | None = ...,
        biases: Iterable[float] | None = ...,
    ) -> None: ...

class ReLU6Parameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        CUDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    CUDNN: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_SLOPE_FIELD_NUMBER: ClassVar[int]
    engine: int
    negative_slope: float
    def __init__(
        self,
        *,
        engine: int | str | None = ...,
        negative_slope: float | None = ...,
    ) -> None: ...

class ReLUXParameter(Message):
    NEGATIVE_SLOPE_FIELD_NUMBER: ClassVar[int]
    MAXIMAL_VALUE_FIELD_NUMBER: ClassVar[int]
    negative_slope: float
    maximal_value: float
    def __init__(
        self,
        *,
        negative_slope: float | None = ...,
        maximal_value: float | None = ...,
    ) -> None: ...

class ReorgParameter(Message):
    STRIDE_FIELD_NUMBER: ClassVar[int]
    REVERSE_FIELD_NUMBER: ClassVar[int]
    stride: int
    reverse: bool
    def __init__(
        self,
        *,
        stride: int | None = ...,
        reverse: bool | None = ...,
    ) -> None: ...

class ResampleParameter(Message):
    class ResampleType(int, metaclass=EnumTypeWrapper):
        NEAREST: ClassVar[int]
        LINEAR: ClassVar[int]
        CUBIC: ClassVar[int]
        AREA: ClassVar[int]
    NEAREST: ClassVar[int]
    LINEAR: ClassVar[int]
    CUBIC: ClassVar[int]
    AREA: ClassVar[int]
    ANTIALIAS_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    FACTOR_FIELD_NUMBER: ClassVar[int]
    antialias: bool
    width: int
    height: int
    type: int
    factor: float
    def __init__(
        self,
        *,
        antialias: bool | None = ...,
        width: int | None = ...,
        height: int | None = ...,
        type: int | str | None = ...,
        factor: float | None = ...,
    ) -> None: ...

class ResizeParameter(Message):
    class Resize_mode(int, metaclass=EnumTypeWrapper):
        WARP: ClassVar[int]
        FIT_SMALL_SIZE: ClassVar[int]
        FIT_LARGE_SIZE_AND_PAD: ClassVar[int]
    WARP: ClassVar[int]
    FIT_SMALL_SIZE: ClassVar[int]
    FIT_LARGE_SIZE_AND_PAD: ClassVar[int]
    class Pad_mode(int, metaclass=EnumTypeWrapper):
        CONSTANT: ClassVar[int]
        MIRRORED: ClassVar[int]
        REPEAT_NEAREST: ClassVar[int]
    CONSTANT: ClassVar[int]
    MIRRORED: ClassVar[int]
    REPEAT_NEAREST: ClassVar[int]
    class Interp_mode(int, metaclass=EnumTypeWrapper):
        LINEAR: ClassVar[int]
        AREA: ClassVar[int]
        NEAREST: ClassVar[int]
        CUBIC: ClassVar[int]
        LANCZOS4: ClassVar[int]
    LINEAR: ClassVar[int]
    AREA: ClassVar[int]
    NEAREST: ClassVar[int]
    CUBIC: ClassVar[int]
    LANCZOS4: ClassVar[int]
    PROB_FIELD_NUMBER: ClassVar[int]
    RESIZE_MODE_FIELD_NUMBER: ClassVar[int]
    HEIGHT_FIELD_NUMBER: ClassVar[int]
    WIDTH_FIELD_NUMBER: ClassVar[int]
    PAD_MODE_FIELD_NUMBER: ClassVar[int]
    PAD_VALUE_FIELD_NUMBER: ClassVar[int]
    INTERP_MODE_FIELD_NUMBER: ClassVar[int]
    HEIGHT_SCALE_FIELD_NUMBER: ClassVar[int]
    WIDTH_SCALE_FIELD_NUMBER: ClassVar[int]
    CENTER_OBJECT_FIELD_NUMBER: ClassVar[int]
    MAX_ANGLE_FIELD_NUMBER: ClassVar[int]
    prob: float
    resize_mode: int
    height: int
    width: int
    pad_mode: int
    pad_value: RepeatedScalarFieldContainer[float]
    interp_mode: RepeatedScalarFieldContainer[int]
    height_scale: int
    width_scale: int
    center_object: bool
    max_angle: float
    def __init__(
        self,
        *,
        prob: float | None = ...,
        resize_mode: int | str | None = ...,
        height: int | None = ...,
        width: int | None = ...,
        pad_mode: int | str | None = ...,
        pad_value: Iterable[float] | None = ...,
        interp_mode: Iterable[int | str] | None = ...,
        height_scale: int | None = ...,
        width_scale: int | None = ...,
        center_object: bool | None = ...,
        max_angle: float | None = ...,
    ) -> None: ...

class ReverseParameter(Message):
    AXIS_FIELD_NUMBER: ClassVar[int]
    axis: int
    def __init__(
        self,
        *,
        axis: int | None = ...,
    ) -> None: ...

class ReverseTimeParameter(Message):
    COPY_REMAINING_FIELD_NUMBER: ClassVar[int]
    copy_remaining: bool
    def __init__(
        self,
        *,
        copy_remaining: bool | None = ...,
    ) -> None: ...

class ROIAlignParameter(Message):
    POOLED_H_FIELD_NUMBER: ClassVar[int]
    POOLED_W_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    SAMPLING_RATIO_FIELD_NUMBER: ClassVar[int]
    SAMPLE_RATIO_FIELD_NUMBER: ClassVar[int]
    POSITION_SENSITIVE_FIELD_NUMBER: ClassVar[int]
    NUM_ROI_PER_IMAGE_FIELD_NUMBER: ClassVar[int]
    ROI_END_MODE_FIELD_NUMBER: ClassVar[int]
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    sampling_ratio: int
    sample_ratio: int
    position_sensitive: bool
    num_roi_per_image: int
    roi_end_mode: int
    def __init__(
        self,
        *,
        pooled_h: int | None = ...,
        pooled_w: int | None = ...,
        spatial_scale: float | None = ...,
        sampling_ratio: int | None = ...,
        sample_ratio: int | None = ...,
        position_sensitive: bool | None = ...,
        num_roi_per_image: int | None = ...,
        roi_end_mode: int | None = ...,
    ) -> None: ...

class ROIMaskAlignParameter(Message):
    POOLED_H_FIELD_NUMBER: ClassVar[int]
    POOLED_W_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SHIFT_FIELD_NUMBER: ClassVar[int]
    HALF_PART_FIELD_NUMBER: ClassVar[int]
    ROI_SCALE_FIELD_NUMBER: ClassVar[int]
    MASK_SCALE_FIELD_NUMBER: ClassVar[int]
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    spatial_shift: float
    half_part: int
    roi_scale: float
    mask_scale: float
    def __init__(
        self,
        *,
        pooled_h: int | None = ...,
        pooled_w: int | None = ...,
        spatial_scale: float | None = ...,
        spatial_shift: float | None = ...,
        half_part: int | None = ...,
        roi_scale: float | None = ...,
        mask_scale: float | None = ...,
    ) -> None: ...

class ROIMaskPoolingParameter(Message):
    POOLED_H_FIELD_NUMBER: ClassVar[int]
    POOLED_W_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SHIFT_FIELD_NUMBER: ClassVar[int]
    HALF_PART_FIELD_NUMBER: ClassVar[int]
    ROI_SCALE_FIELD_NUMBER: ClassVar[int]
    MASK_SCALE_FIELD_NUMBER: ClassVar[int]
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    spatial_shift: float
    half_part: int
    roi_scale: float
    mask_scale: float
    def __init__(
        self,
        *,
        pooled_h: int | None = ...,
        pooled_w: int | None = ...,
        spatial_scale: float | None = ...,
        spatial_shift: float | None = ...,
        half_part: int | None = ...,
        roi_scale: float | None = ...,
        mask_scale: float | None = ...,
    ) -> None: ...

class ROIPoolingParameter(Message):
    POOLED_H_FIELD_NUMBER: ClassVar[int]
    POOLED_W_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    POOLED_SIZE_FIELD_NUMBER: ClassVar[int]
    PAD_RATIO_FIELD_NUMBER: ClassVar[int]
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    pooled_size: RepeatedScalarFieldContainer[int]
    pad_ratio: float
    def __init__(
        self,
        *,
        pooled_h: int | None = ...,
        pooled_w: int | None = ...,
        spatial_scale: float | None = ...,
        pooled_size: Iterable[int] | None = ...,
        pad_ratio: float | None = ...,
    ) -> None: ...

class ROIWarpingParameter(Message):
    POOLED_H_FIELD_NUMBER: ClassVar[int]
    POOLED_W_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    def __init__(
        self,
        *,
        pooled_h: int | None = ...,
        pooled_w: int | None = ...,
        spatial_scale: float | None = ...,
    ) -> None: ...

class ROIWarpingTestParameter(Message):
    POOLED_H_FIELD_NUMBER: ClassVar[int]
    POOLED_W_FIELD_NUMBER: ClassVar[int]
    SPATIAL_SCALE_FIELD_NUMBER: ClassVar[int]
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    def __init__(
        self,
        *,
        pooled_h: int | None = ...,
        pooled_w: int | None = ...,
        spatial_scale: float | None = ...,
    ) -> None: ...

class SaltPepperParameter(Message):
    class SaltType(int, metaclass=EnumTypeWrapper):
        relative: ClassVar[int]
        absolute: ClassVar[int]
    relative: ClassVar[int]
    absolute: ClassVar[int]
    FRACTION_FIELD_NUMBER: ClassVar[int]
    VALUE_FIELD_NUMBER: ClassVar[int]
    TYPE_FIELD_NUMBER: ClassVar[int]
    fraction: float
    value: RepeatedScalarFieldContainer[float]
    type: int
    def __init__(
        self,
        *,
        fraction: float | None = ...,
        value: Iterable[float] | None = ...,
        type: int | str | None = ...,
    ) -> None: ...

class SampleConstraint(Message):
    MIN_JACCARD_OVERLAP_FIELD_NUMBER: ClassVar[int]
    MAX_JACCARD_OVERLAP_FIELD_NUMBER: ClassVar[int]
    MIN_SAMPLE_COVERAGE_FIELD_NUMBER: ClassVar[int]
    MAX_SAMPLE_COVERAGE_FIELD_NUMBER: ClassVar[int]
    MIN_OBJECT_COVERAGE_FIELD_NUMBER: ClassVar[int]
    MAX_OBJECT_COVERAGE_FIELD_NUMBER: ClassVar[int]
    min_jaccard_overlap: float
    max_jaccard_overlap: float
    min_sample_coverage: float
    max_sample_coverage: float
    min_object_coverage: float
    max_object_coverage: float
    def __init__(
        self,
        *,
        min_jaccard_overlap: float | None = ...,
        max_jaccard_overlap: float | None = ...,
        min_sample_coverage: float | None = ...,
        max_sample_coverage: float | None = ...,
        min_object_coverage: float | None = ...,
        max_object_coverage: float | None = ...,
    ) -> None: ...

class Sampler(Message):
    MIN_SCALE_FIELD_NUMBER: ClassVar[int]
    MAX_SCALE_FIELD_NUMBER: ClassVar[int]
    MIN_ASPECT_RATIO_FIELD_NUMBER: ClassVar[int]
    MAX_ASPECT_RATIO_FIELD_NUMBER: ClassVar[int]
    min_scale: float
    max_scale: float
    min_aspect_ratio: float
    max_aspect_ratio: float
    def __init__(
        self,
        *,
        min_scale: float | None = ...,
        max_scale: float | None = ...,
        min_aspect_ratio: float | None = ...,
        max_aspect_ratio: float | None = ...,
    ) -> None: ...

class SaveOutputParameter(Message):
    OUTPUT_DIRECTORY_FIELD_NUMBER: ClassVar[int]
    OUTPUT_NAME_PREFIX_FIELD_NUMBER: ClassVar[int]
    OUTPUT_FORMAT_FIELD_NUMBER: ClassVar[int]
    LABEL_MAP_FILE_FIELD_NUMBER: ClassVar[int]
    NAME_SIZE_FILE_FIELD_NUMBER: ClassVar[int]
    NUM_TEST_IMAGE_FIELD_NUMBER: ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: ClassVar[int]
    output_directory: str
    output_name_prefix: str
    output_format: str
    label_map_file: str
    name_size_file: str
    num_test_image: int
    @property
    def resize_param(self) -> ResizeParameter: ...
    def __init__(
        self,
        *,
        output_directory: str | None = ...,
        output_name_prefix: str | None = ...,
        output_format: str | None = ...,
        label_map_file: str | None = ...,
        name_size_file: str | None = ...,
        num_test_image: int | None = ...,
        resize_param: ResizeParameter | Mapping[str, Any] | None = ...,
    ) -> None: ...

class ScaleRouteParameter(Message):
    LOW_SCALE_FIELD_NUMBER: ClassVar[int]
    HIGH_SCALE_FIELD_NUMBER: ClassVar[int]
    low_scale: float
    high_scale: float
    def __init__(
        self,
        *,
        low_scale: float | None = ...,
        high_scale: float | None = ...,
    ) -> None: ...

class SegAccuracyParameter(Message):
    class AccuracyMetric(int, metaclass=EnumTypeWrapper):
        PixelAccuracy: ClassVar[int]
        ClassAccuracy: ClassVar[int]
        PixelIOU: ClassVar[int]
    PixelAccuracy: ClassVar[int]
    ClassAccuracy: ClassVar[int]
    PixelIOU: ClassVar[int]
    METRIC_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    RESET_FIELD_NUMBER: ClassVar[int]
    metric: int
    ignore_label: RepeatedScalarFieldContainer[int]
    reset: bool
    def __init__(
        self,
        *,
        metric: int | str | None = ...,
        ignore_label: Iterable[int] | None = ...,
        reset: bool | None = ...,
    ) -> None: ...

class SegDataParameter(Message):
    SOURCE_FIELD_NUMBER: ClassVar[int]
    ROOT_DIR_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    BALANCE_FIELD_NUMBER: ClassVar[int]
    source: str
    root_dir: str
    shuffle: bool
    balance: bool
    def __init__(
        self,
        *,
        source: str | None = ...,
        root_dir: str | None = ...,
        shuffle: bool | None = ...,
        balance: bool | None = ...,
    ) -> None: ...

class SegmentationEvaluateParameter(Message):
    NUM_CLASSES_FIELD_NUMBER: ClassVar[int]
    THRESHOLD_FIELD_NUMBER: ClassVar[int]
    num_classes: int
    threshold: float
    def __init__(
        self,
        *,
        num_classes: int | None = ...,
        threshold: float | None = ...,
    ) -> None: ...

class SelectSegBinaryParameter(Message):
    CLS_LABEL_BASE_FIELD_NUMBER: ClassVar[int]
    cls_label_base: int
    def __init__(
        self,
        *,
        cls_label_base: int | None = ...,
    ) -> None: ...

class SeLuDropoutParameter(Message):
    DROPOUT_RATIO_FIELD_NUMBER: ClassVar[int]
    ALPHA_FIELD_NUMBER: ClassVar[int]
    dropout_ratio: float
    alpha: float
    def __init__(
        self,
        *,
        dropout_ratio: float | None = ...,
        alpha: float | None = ...,
    ) -> None: ...

class SeLuParameter(Message):
    LAMBDA_FIELD_NUMBER: ClassVar[int]
    ALPHA_FIELD_NUMBER: ClassVar[int]
    alpha: float
    def __init__(
        self,
        *,
        alpha: float | None = ...,
    ) -> None: ...

class ShuffleChannelParameter(Message):
    GROUP_FIELD_NUMBER: ClassVar[int]
    group: int
    def __init__(
        self,
        *,
        group: int | None = ...,
    ) -> None: ...

class SmoothL1LossParameter(Message):
    SIGMA_FIELD_NUMBER: ClassVar[int]
    sigma: float
    def __init__(
        self,
        *,
        sigma: float | None = ...,
    ) -> None: ...

class SmoothL1Parameter(Message):
    TURN_POINT_FIELD_NUMBER: ClassVar[int]
    turn_point: float
    def __init__(
        self,
        *,
        turn_point: float | None = ...,
    ) -> None: ...

class SoftContrastiveParameter(Message):
    POSITIVE_MARGIN_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_MARGIN_FIELD_NUMBER: ClassVar[int]
    POSITIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    NEGATIVE_WEIGHT_FIELD_NUMBER: ClassVar[int]
    EXPONENT_SCALE_FIELD_NUMBER: ClassVar[int]
    SQUARE_FIELD_NUMBER: ClassVar[int]
    positive_margin: float
    negative_margin: float
    positive_weight: float
    negative_weight: float
    exponent_scale: float
    square: bool
    def __init__(
        self,
        *,
        positive_margin: float | None = ...,
        negative_margin: float | None = ...,
        positive_weight: float | None = ...,
        negative_weight: float | None = ...,
        exponent_scale: float | None = ...,
        square: bool | None = ...,
    ) -> None: ...

class SoftmaxLossParameter(Message):
    WEIGHT_SOURCE_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    weight_source: str
    ignore_label: RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        *,
        weight_source: str | None = ...,
        ignore_label: Iterable[int] | None = ...,
    ) -> None: ...

class SoftTruncationParameter(Message):
    C_FIELD_NUMBER: ClassVar[int]
    c: float
    def __init__(
        self,
        *,
        c: float | None = ...,
    ) -> None: ...

class SolverBatchSizePair(Message):
    SOLVER_PARAMS_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    @property
    def solver_params(self) -> SolverParameter: ...
    batch_size: int
    def __init__(
        self,
        *,
        solver_params: SolverParameter | Mapping[str, Any] | None = ...,
        batch_size: int | None = ...,
    ) -> None: ...

class SpatialDropoutParameter(Message):
    DROPOUT_RATIO_FIELD_NUMBER: ClassVar[int]
    dropout_ratio: float
    def __init__(
        self,
        *,
        dropout_ratio: float | None = ...,
    ) -> None: ...

class SplitParameter(Message):
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
        MKL2017: ClassVar[int]
        MKLDNN: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    MKL2017: ClassVar[int]
    MKLDNN: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    engine: int
    def __init__(
        self,
        *,
        engine: int | str | None = ...,
    ) -> None: ...

class SubRegionParameter(Message):
    REGION_HEIGHT_FIELD_NUMBER: ClassVar[int]
    REGION_WIDTH_FIELD_NUMBER: ClassVar[int]
    DATA_HEIGHT_FIELD_NUMBER: ClassVar[int]
    DATA_WIDTH_FIELD_NUMBER: ClassVar[int]
    AS_DIM_FIELD_NUMBER: ClassVar[int]
    region_height: int
    region_width: int
    data_height: int
    data_width: int
    as_dim: int
    def __init__(
        self,
        *,
        region_height: int | None = ...,
        region_width: int | None = ...,
        data_height: int | None = ...,
        data_width: int | None = ...,
        as_dim: int | None = ...,
    ) -> None: ...

class TransposeParameter(Message):
    DIM_FIELD_NUMBER: ClassVar[int]
    N_FIELD_NUMBER: ClassVar[int]
    C_FIELD_NUMBER: ClassVar[int]
    H_FIELD_NUMBER: ClassVar[int]
    W_FIELD_NUMBER: ClassVar[int]
    dim: RepeatedScalarFieldContainer[int]
    n: int
    c: int
    h: int
    w: int
    def __init__(
        self,
        *,
        dim: Iterable[int] | None = ...,
        n: int | None = ...,
        c: int | None = ...,
        h: int | None = ...,
        w: int | None = ...,
    ) -> None: ...

class TripletLossParameter(Message):
    MARGIN_FIELD_NUMBER: ClassVar[int]
    margin: float
    def __init__(
        self,
        *,
        margin: float | None = ...,
    ) -> None: ...

class TRTParameter(Message):
    class TRTMode(int, metaclass=EnumTypeWrapper):
        FP32: ClassVar[int]
        FP16: ClassVar[int]
        INT8: ClassVar[int]
    FP32: ClassVar[int]
    FP16: ClassVar[int]
    INT8: ClassVar[int]
    TRT_MODE_FIELD_NUMBER: ClassVar[int]
    TOP_K_FIELD_NUMBER: ClassVar[int]
    DEPLOY_FIELD_NUMBER: ClassVar[int]
    MODEL_FIELD_NUMBER: ClassVar[int]
    DEPLOY_OUTPUTS_FIELD_NUMBER: ClassVar[int]
    CALIBRATOR_FIELD_NUMBER: ClassVar[int]
    trt_mode: int
    top_k: int
    deploy: str
    model: str
    deploy_outputs: RepeatedScalarFieldContainer[str]
    calibrator: str
    def __init__(
        self,
        *,
        trt_mode: int | str | None = ...,
        top_k: int | None = ...,
        deploy: str | None = ...,
        model: str | None = ...,
        deploy_outputs: Iterable[str] | None = ...,
        calibrator: str | None = ...,
    ) -> None: ...

class TruncationParameter(Message):
    LOWER_BOUND_FIELD_NUMBER: ClassVar[int]
    UPPER_BOUND_FIELD_NUMBER: ClassVar[int]
    lower_bound: float
    upper_bound: float
    def __init__(
        self,
        *,
        lower_bound: float | None = ...,
        upper_bound: float | None = ...,
    ) -> None: ...

class UniqueLabelParameter(Message):
    MAX_LABELS_FIELD_NUMBER: ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: ClassVar[int]
    FORCE_LABEL_FIELD_NUMBER: ClassVar[int]
    max_labels: int
    ignore_label: RepeatedScalarFieldContainer[float]
    force_label: RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        *,
        max_labels: int | None = ...,
        ignore_label: Iterable[float] | None = ...,
        force_label: Iterable[float] | None = ...,
    ) -> None: ...

class UnpoolingParameter(Message):
    class UnpoolMethod(int, metaclass=EnumTypeWrapper):
        MAX: ClassVar[int]
        AVE: ClassVar[int]
        TILE: ClassVar[int]
        FIXED: ClassVar[int]
        DIV: ClassVar[int]
        REP: ClassVar[int]
    MAX: ClassVar[int]
    AVE: ClassVar[int]
    TILE: ClassVar[int]
    FIXED: ClassVar[int]
    DIV: ClassVar[int]
    REP: ClassVar[int]
    class Engine(int, metaclass=EnumTypeWrapper):
        DEFAULT: ClassVar[int]
        CAFFE: ClassVar[int]
    DEFAULT: ClassVar[int]
    CAFFE: ClassVar[int]
    UNPOOL_FIELD_NUMBER: ClassVar[int]
    PAD_FIELD_NUMBER: ClassVar[int]
    PAD_H_FIELD_NUMBER: ClassVar[int]
    PAD_W_FIELD_NUMBER: ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: ClassVar[int]
    KERNEL_H_FIELD_NUMBER: ClassVar[int]
    KERNEL_W_FIELD_NUMBER: ClassVar[int]
    STRIDE_FIELD_NUMBER: ClassVar[int]
    STRIDE_H_FIELD_NUMBER: ClassVar[int]
    STRIDE_W_FIELD_NUMBER: ClassVar[int]
    UNPOOL_SIZE_FIELD_NUMBER: ClassVar[int]
    UNPOOL_H_FIELD_NUMBER: ClassVar[int]
    UNPOOL_W_FIELD_NUMBER: ClassVar[int]
    ENGINE_FIELD_NUMBER: ClassVar[int]
    OUT_PAD_FIELD_NUMBER: ClassVar[int]
    OUT_PAD_H_FIELD_NUMBER: ClassVar[int]
    OUT_PAD_W_FIELD_NUMBER: ClassVar[int]
    OUT_KERNEL_SIZE_FIELD_NUMBER: ClassVar[int]
    OUT_KERNEL_H_FIELD_NUMBER: ClassVar[int]
    OUT_KERNEL_W_FIELD_NUMBER: ClassVar[int]
    OUT_STRIDE_FIELD_NUMBER: ClassVar[int]
    OUT_STRIDE_H_FIELD_NUMBER: ClassVar[int]
    OUT_STRIDE_W_FIELD_NUMBER: ClassVar[int]
    unpool: int
    pad: int
    pad_h: int
    pad_w: int
    kernel_size: int
    kernel_h: int
    kernel_w: int
    stride: int
    stride_h: int
    stride_w: int
    unpool_size: int
    unpool_h: int
    unpool_w: int
    engine: int
    out_pad: int
    out_pad_h: int
    out_pad_w: int
    out_kernel_size: int
    out_kernel_h: int
    out_kernel_w: int
    out_stride: int
    out_stride_h: int
    out_stride_w: int
    def __init__(
        self,
        *,
        unpool: int | str | None = ...,
        pad: int | None = ...,
        pad_h: int | None = ...,
        pad_w: int | None = ...,
        kernel_size: int | None = ...,
        kernel_h: int | None = ...,
        kernel_w: int | None = ...,
        stride: int | None = ...,
        stride_h: int | None = ...,
        stride_w: int | None = ...,
        unpool_size: int | None = ...,
        unpool_h: int | None = ...,
        unpool_w: int | None = ...,
        engine: int | str | None = ...,
        out_pad: int | None = ...,
        out_pad_h: int | None = ...,
        out_pad_w: int | None = ...,
        out_kernel_size: int | None = ...,
        out_kernel_h: int | None = ...,
        out_kernel_w: int | None = ...,
        out_stride: int | None = ...,
        out_stride_h: int | None = ...,
        out_stride_w: int | None = ...,
    ) -> None: ...

class UpsampleParameter(Message):
    SCALE_FIELD_NUMBER: ClassVar[int]
    SCALE_H_FIELD_NUMBER: ClassVar[int]
    SCALE_W_FIELD_NUMBER: ClassVar[int]
    PAD_OUT_H_FIELD_NUMBER: ClassVar[int]
    PAD_OUT_W_FIELD_NUMBER: ClassVar[int]
    UPSAMPLE_H_FIELD_NUMBER: ClassVar[int]
    UPSAMPLE_W_FIELD_NUMBER: ClassVar[int]
    scale: int
    scale_h: int
    scale_w: int
    pad_out_h: bool
    pad_out_w: bool
    upsample_h: int
    upsample_w: int
    def __init__(
        self,
        *,
        scale: int | None = ...,
        scale_h: int | None = ...,
        scale_w: int | None = ...,
        pad_out_h: bool | None = ...,
        pad_out_w: bool | None = ...,
        upsample_h: int | None = ...,
        upsample_w: int | None = ...,
    ) -> None: ...

class VideoDataParameter(Message):
    class VideoType(int, metaclass=EnumTypeWrapper):
        WEBCAM: ClassVar[int]
        VIDEO: ClassVar[int]
    WEBCAM: ClassVar[int]
    VIDEO: ClassVar[int]
    class Modality(int, metaclass=EnumTypeWrapper):
        RGB: ClassVar[int]
        FLOW: ClassVar[int]
    RGB: ClassVar[int]
    FLOW: ClassVar[int]
    VIDEO_TYPE_FIELD_NUMBER: ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: ClassVar[int]
    VIDEO_FILE_FIELD_NUMBER: ClassVar[int]
    SKIP_FRAMES_FIELD_NUMBER: ClassVar[int]
    SOURCE_FIELD_NUMBER: ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: ClassVar[int]
    RAND_SKIP_FIELD_NUMBER: ClassVar[int]
    SHUFFLE_FIELD_NUMBER: ClassVar[int]
    NEW_HEIGHT_FIELD_NUMBER: ClassVar[int]
    NEW_WIDTH_FIELD_NUMBER: ClassVar[int]
    NEW_LENGTH_FIELD_NUMBER: ClassVar[int]
    NUM_SEGMENTS_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: ClassVar[int]
    MIRROR_FIELD_NUMBER: ClassVar[int]
    MODALITY_FIELD_NUMBER: ClassVar[int]
    NAME_PATTERN_FIELD_NUMBER: ClassVar[int]
    ENCODED_FIELD_NUMBER: ClassVar[int]
    GRAYSCALE_FIELD_NUMBER: ClassVar[int]
    video_type: int
    device_id: int
    video_file: str
    skip_frames: int
    source: str
    batch_size: int
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    new_length: int
    num_segments: int
    scale: float
    mean_file: str
    crop_size: int
    mirror: bool
    modality: int
    name_pattern: str
    encoded: bool
    grayscale: bool
    def __init__(
        self,
        *,
        video_type: int | str | None = ...,
        device_id: int | None = ...,
        video_file: str | None = ...,
        skip_frames: int | None = ...,
        source: str | None = ...,
        batch_size: int | None = ...,
        rand_skip: int | None = ...,
        shuffle: bool | None = ...,
        new_height: int | None = ...,
        new_width: int | None = ...,
        new_length: int | None = ...,
        num_segments: int | None = ...,
        scale: float | None = ...,
        mean_file: str | None = ...,
        crop_size: int | None = ...,
        mirror: bool | None = ...,
        modality: int | str | None = ...,
        name_pattern: str | None = ...,
        encoded: bool | None = ...,
        grayscale: bool | None = ...,
    ) -> None: ...

class WindowClsDataParameter(Message):
    LABEL_DIM_FIELD_NUMBER: ClassVar[int]
    label_dim: int
    def __init__(
        self,
        *,
        label_dim: int | None = ...,
    ) -> None: ...

class WriterParameter(Message):
    FILE_FIELD_NUMBER: ClassVar[int]
    FOLDER_FIELD_NUMBER: ClassVar[int]
    PREFIX_FIELD_NUMBER: ClassVar[int]
    SUFFIX_FIELD_NUMBER: ClassVar[int]
    NORMALIZE_FIELD_NUMBER: ClassVar[int]
    SCALE_FIELD_NUMBER: ClassVar[int]
    file: str
    folder: str
    prefix: str
    suffix: str
    normalize: bool
    scale: float
    def __init__(
        self,
        *,
        file: str | None = ...,
        folder: str | None = ...,
        prefix: str | None = ...,
        suffix: str | None = ...,
        normalize: bool | None = ...,
        scale: float | None = ...,
    ) -> None: ...

class YoloDetectionOutputParameter(Message):
    SIDE_FIELD_NUMBER: ClassVar[int]
    NUM_CLASSES_FIELD_NUMBER: ClassVar[int]
    NUM_BOX_FIELD_NUMBER: ClassVar[int]
    COORDS_FIELD_NUMBER: ClassVar[int]
    CONFIDENCE_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    NMS_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    BIASES_FIELD_NUMBER: ClassVar[int]
    LABEL_MAP_FILE_FIELD_NUMBER: ClassVar[int]
    side: int
    num_classes: int
    num_box: int
    coords: int
    confidence_threshold: float
    nms_threshold: float
    biases: RepeatedScalarFieldContainer[float]
    label_map_file: str
    def __init__(
        self,
        *,
        side: int | None = ...,
        num_classes: int | None = ...,
        num_box: int | None = ...,
        coords: int | None = ...,
        confidence_threshold: float | None = ...,
        nms_threshold: float | None = ...,
        biases: Iterable[float] | None = ...,
        label_map_file: str | None = ...,
    ) -> None: ...

class YoloSegParameter(Message):
    NUM_CLASS_FIELD_NUMBER: ClassVar[int]
    OBJECT_SCALE_FIELD_NUMBER: ClassVar[int]
    CLASS_SCALE_FIELD_NUMBER: ClassVar[int]
    USE_LOGIC_GRADIENT_FIELD_NUMBER: ClassVar[int]
    USE_HARDSIGMOID_FIELD_NUMBER: ClassVar[int]
    num_class: int
    object_scale: float
    class_scale: float
    use_logic_gradient: bool
    use_hardsigmoid: bool
    def __init__(
        self,
        *,
        num_class: int | None = ...,
        object_scale: float | None = ...,
        class_scale: float | None = ...,
        use_logic_gradient: bool | None = ...,
        use_hardsigmoid: bool | None = ...,
    ) -> None: ...

class Yolov3DetectionOutputParameter(Message):
    NUM_CLASSES_FIELD_NUMBER: ClassVar[int]
    NUM_BOX_FIELD_NUMBER: ClassVar[int]
    CONFIDENCE_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    NMS_THRESHOLD_FIELD_NUMBER: ClassVar[int]
    BIASES_FIELD_NUMBER: ClassVar[int]
    ANCHORS_SCALE_FIELD_NUMBER: ClassVar[int]
    MASK_GROUP_NUM_FIELD_NUMBER: ClassVar[int]
    MASK_FIELD_NUMBER: ClassVar[int]
    GAUSSIAN_BOX_FIELD_NUMBER: ClassVar[int]
    num_classes: int
    num_box: int
    confidence_threshold: float
    nms_threshold: float
    biases: RepeatedScalarFieldContainer[float]
    anchors_scale: RepeatedScalarFieldContainer[int]
    mask_group_num: int
    mask: RepeatedScalarFieldContainer[int]
    gaussian_box: bool
    def __init__(
        self,
        *,
        num_classes: int | None = ...,
        num_box: int | None = ...,
        confidence_threshold: float | None = ...,
        nms_threshold: float | None = ...,
        biases: Iterable[float] | None = ...,
        anchors_scale: Iterable[int] | None = ...,
        mask_group_num: int | None = ...,
        mask: Iterable[int] | None = ...,
        gaussian_box: bool | None = ...,
    ) -> None: ...

class Yolov3Parameter(Message):
    class IOU_LOSS(int, metaclass=EnumTypeWrapper):
        IOU: ClassVar[int]
        GIOU: ClassVar[int]
        MSE: ClassVar[int]
        DIOU: ClassVar[int]
        CIOU: ClassVar[int]
    IOU: ClassVar[int]
    GIOU: ClassVar[int]
    MSE: ClassVar[int]
    DIOU: ClassVar[int]
    CIOU: ClassVar[int]
    SIDE_FIELD_NUMBER: ClassVar[int]
    NUM_CLASS_FIELD_NUMBER: ClassVar[int]
    NUM_FIELD_NUMBER: ClassVar[int]
    OBJECT_SCALE_FIELD_NUMBER: ClassVar[int]
    CLASS_SCALE_FIELD_NUMBER: ClassVar[int]
    NOOBJECT_SCALE_FIELD_NUMBER: ClassVar[int]
    COORD_SCALE_FIELD_NUMBER: ClassVar[int]
    THRESH_FIELD_NUMBER: ClassVar[int]
    ANCHORS_SCALE_FIELD_NUMBER: ClassVar[int]
    BIASES_FIELD_NUMBER: ClassVar[int]
    MASK_FIELD_NUMBER: ClassVar[int]
    USE_LOGIC_GRADIENT_FIELD_NUMBER: ClassVar[int]
    USE_FOCAL_LOSS_FIELD_NUMBER: ClassVar[int]
    IOU_LOSS_FIELD_NUMBER: ClassVar[int]
    IOU_NORMALIZER_FIELD_NUMBER: ClassVar[int]
    IOU_THRESH_FIELD_NUMBER: ClassVar[int]
    MAX_DELTA_FIELD_NUMBER: ClassVar[int]
    ACCUMULATE_FIELD_NUMBER: ClassVar[int]
    LABEL_SMOOTH_EPS_FIELD_NUMBER: ClassVar[int]
    side: int
    num_class: int
    num: int
    object_scale: float
    class_scale: float
    noobject_scale: float
    coord_scale: float
    thresh: float
    anchors_scale: int
    biases: RepeatedScalarFieldContainer[float]
    mask: RepeatedScalarFieldContainer[int]
    use_logic_gradient: bool
    use_focal_loss: bool
    iou_loss: int
    iou_normalizer: float
    iou_thresh: float
    max_delta: float
    accumulate: bool
    label_smooth_eps: float
    def __init__(
        self,
        *,
        side: int | None = ...,
        num_class: int | None = ...,
        num: int | None = ...,
        object_scale: float | None = ...,
        class_scale: float | None = ...,
        noobject_scale: float | None = ...,
        coord_scale: float | None = ...,
        thresh: float | None = ...,
        anchors_scale: int | None = ...,
        biases: Iterable[float] | None = ...,
        mask: Iterable[int] | None = ...,
        use_logic_gradient: bool | None = ...,
        use_focal_loss: bool | None = ...,
        iou_loss: int | str | None = ...,
        iou_normalizer: float | None = ...,
        iou_thresh: float | None = ...,
        max_delta: float | None = ...,
        accumulate: bool | None = ...,
        label_smooth_eps: float | None = ...,
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
        ADAPTIVE_BIAS_CHANNEL: ClassVar[int]
        BIAS_CHANNEL: ClassVar[int]
        CENSOR_LABEL: ClassVar[int]
        CHANNEL_AGGREGATOR: ClassVar[int]
        DENSE_CRF: ClassVar[int]
        DOMINANT_CHANNEL: ClassVar[int]
        GAIN_CHANNEL: ClassVar[int]
        HISTOGRAM: ClassVar[int]
        IGNORE_OVERLAY: ClassVar[int]
        INTERP: ClassVar[int]
        MAT_READ: ClassVar[int]
        MAT_WRITE: ClassVar[int]
        ONEHOT: ClassVar[int]
        PADDING: ClassVar[int]
        RELATIVE_ERROR: ClassVar[int]
        SEG_ACCURACY: ClassVar[int]
        UNIQUE_LABEL: ClassVar[int]
        IMAGE_SEG_DATA: ClassVar[int]
        CROP: ClassVar[int]
        LOCAL: ClassVar[int]
        NORMALIZE: ClassVar[int]
        INSANITY: ClassVar[int]
        TRIPLET_LOSS: ClassVar[int]
        ROIPOOLING: ClassVar[int]
        BATCH_NORM: ClassVar[int]
        ELTWISE_AFFINE: ClassVar[int]
        BN: ClassVar[int]
        SELU: ClassVar[int]
        SELU_DROPOUT: ClassVar[int]
        DICE_LOSS: ClassVar[int]
        RELU6: ClassVar[int]
        BIN_ACCURACY: ClassVar[int]
        DROPOUT_CHANNEL: ClassVar[int]
        ELTWISE_ACCURACY: ClassVar[int]
        RED_SOFTMAX_LOSS: ClassVar[int]
        RED_ACCURACY: ClassVar[int]
        SELECT_SEG_BINARY: ClassVar[int]
        UNPOOLING: ClassVar[int]
        WINDOW_CLS_DATA: ClassVar[int]
        WINDOW_SEG_DATA: ClassVar[int]
        WINDOW_SEG_BINARY: ClassVar[int]
        WINDOW_INST_SEG_DATA: ClassVar[int]
        DEFORMABLECONVOLUTION: ClassVar[int]
        RELUX: ClassVar[int]
        FRCNN_ANCHOR_TARGET: ClassVar[int]
        FRCNN_PROPOSAL: ClassVar[int]
        FRCNN_PROPOSAL_TARGET: ClassVar[int]
        PARSE_OUTPUT: ClassVar[int]
        PARSE_EVALUATE: ClassVar[int]
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
    ADAPTIVE_BIAS_CHANNEL: ClassVar[int]
    BIAS_CHANNEL: ClassVar[int]
    CENSOR_LABEL: ClassVar[int]
    CHANNEL_AGGREGATOR: ClassVar[int]
    DENSE_CRF: ClassVar[int]
    DOMINANT_CHANNEL: ClassVar[int]
    GAIN_CHANNEL: ClassVar[int]
    HISTOGRAM: ClassVar[int]
    IGNORE_OVERLAY: ClassVar[int]
    INTERP: ClassVar[int]
    MAT_READ: ClassVar[int]
    MAT_WRITE: ClassVar[int]
    ONEHOT: ClassVar[int]
    PADDING: ClassVar[int]
    RELATIVE_ERROR: ClassVar[int]
    SEG_ACCURACY: ClassVar[int]
    UNIQUE_LABEL: ClassVar[int]
    IMAGE_SEG_DATA: ClassVar[int]
    CROP: ClassVar[int]
    LOCAL: ClassVar[int]
    NORMALIZE: ClassVar[int]
    INSANITY: ClassVar[int]
    TRIPLET_LOSS: ClassVar[int]
    ROIPOOLING: ClassVar[int]
    BATCH_NORM: ClassVar[int]
    ELTWISE_AFFINE: ClassVar[int]
    BN: ClassVar[int]
    SELU: ClassVar[int]
    SELU_DROPOUT: ClassVar[int]
    DICE_LOSS: ClassVar[int]
    RELU6: ClassVar[int]
    BIN_ACCURACY: ClassVar[int]
    DROPOUT_CHANNEL: ClassVar[int]
    ELTWISE_ACCURACY: ClassVar[int]
    RED_SOFTMAX_LOSS: ClassVar[int]
    RED_ACCURACY: ClassVar[int]
    SELECT_SEG_BINARY: ClassVar[int]
    UNPOOLING: ClassVar[int]
    WINDOW_CLS_DATA: ClassVar[int]
    WINDOW_SEG_DATA: ClassVar[int]
    WINDOW_SEG_BINARY: ClassVar[int]
    WINDOW_INST_SEG_DATA: ClassVar[int]
    DEFORMABLECONVOLUTION: ClassVar[int]
    RELUX: ClassVar[int]
    FRCNN_ANCHOR_TARGET: ClassVar[int]
    FRCNN_PROPOSAL: ClassVar[int]
    FRCNN_PROPOSAL_TARGET: ClassVar[int]
    PARSE_OUTPUT: ClassVar[int]
    PARSE_EVALUATE: ClassVar[int]
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
    STRICT_DIM_FIELD_NUMBER: ClassVar[int]
    ADAPTIVE_BIAS_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    BIAS_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    CENSOR_LABEL_PARAM_FIELD_NUMBER: ClassVar[int]
    CHANNEL_AGGREGATOR_PARAM_FIELD_NUMBER: ClassVar[int]
    DENSE_CRF_PARAM_FIELD_NUMBER: ClassVar[int]
    DOMINANT_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    EUCLIDEAN_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    GAIN_CHANNEL_PARAM_FIELD_NUMBER: ClassVar[int]
    HISTOGRAM_PARAM_FIELD_NUMBER: ClassVar[int]
    IGNORE_OVERLAY_PARAM_FIELD_NUMBER: ClassVar[int]
    INTERP_PARAM_FIELD_NUMBER: ClassVar[int]
    MAT_READ_PARAM_FIELD_NUMBER: ClassVar[int]
    MAT_WRITE_PARAM_FIELD_NUMBER: ClassVar[int]
    ONEHOT_PARAM_FIELD_NUMBER: ClassVar[int]
    PADDING_PARAM_FIELD_NUMBER: ClassVar[int]
    SEG_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    SOFTMAXLOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    UNIQUE_LABEL_PARAM_FIELD_NUMBER: ClassVar[int]
    BN_PARAM_FIELD_NUMBER: ClassVar[int]
    LOCAL_PARAM_FIELD_NUMBER: ClassVar[int]
    PRELU_PARAM_FIELD_NUMBER: ClassVar[int]
    INSANITY_PARAM_FIELD_NUMBER: ClassVar[int]
    TRIPLET_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    ROI_POOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    ELTWISE_AFFINE_PARAM_FIELD_NUMBER: ClassVar[int]
    SUB_REGION_PARAM_FIELD_NUMBER: ClassVar[int]
    NOISE_PARAM_FIELD_NUMBER: ClassVar[int]
    RELU6_PARAM_FIELD_NUMBER: ClassVar[int]
    BINARY_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    ELTWISE_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    RED_SOFTMAX_LOSS_PARAM_FIELD_NUMBER: ClassVar[int]
    RED_ACCURACY_PARAM_FIELD_NUMBER: ClassVar[int]
    SELECT_SEG_BINARY_PARAM_FIELD_NUMBER: ClassVar[int]
    UNPOOLING_PARAM_FIELD_NUMBER: ClassVar[int]
    WINDOW_CLS_DATA_PARAM_FIELD_NUMBER: ClassVar[int]
    DEFORMABLE_CONVOLUTION_PARAM_FIELD_NUMBER: ClassVar[int]
    RELUX_PARAM_FIELD_NUMBER: ClassVar[int]
    FRCNN_ANCHOR_TARGET_PARAM_FIELD_NUMBER: ClassVar[int]
    FRCNN_PROPOSAL_PARAM_FIELD_NUMBER: ClassVar[int]
    FRCNN_PROPOSAL_TARGET_PARAM_FIELD_NUMBER: ClassVar[int]
    BOXES_OBJ_PARAM_FIELD_NUMBER: ClassVar[int]
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
    strict_dim: bool
    @property
    def adaptive_bias_channel_param(self) -> AdaptiveBiasChannelParameter: ...
    @property
    def bias_channel_param(self) -> BiasChannelParameter: ...
    @property
    def censor_label_param(self) -> CensorLabelParameter: ...
    @property
    def channel_aggregator_param(self) -> ChannelAggregatorParameter: ...
    @property
    def dense_crf_param(self) -> DenseCRFParameter: ...
    @property
    def dominant_channel_param(self) -> DominantChannelParameter: ...
    @property
    def euclidean_loss_param(self) -> EuclideanLossParameter: ...
    @property
    def gain_channel_param(self) -> GainChannelParameter: ...
    @property
    def histogram_param(self) -> HistogramParameter: ...
    @property
    def ignore_overlay_param(self) -> IgnoreOverlayParameter: ...
    @property
    def interp_param(self) -> InterpParameter: ...
    @property
    def mat_read_param(self) -> MatReadParameter: ...
    @property
    def mat_write_param(self) -> MatWriteParameter: ...
    @property
    def onehot_param(self) -> OneHotParameter: ...
    @property
    def padding_param(self) -> PaddingParameter: ...
    @property
    def seg_accuracy_param(self) -> SegAccuracyParameter: ...
    @property
    def softmaxloss_param(self) -> SoftmaxLossParameter: ...
    @property
    def unique_label_param(self) -> UniqueLabelParameter: ...
    @property
    def bn_param(self) -> BNParameter: ...
    @property
    def local_param(self) -> LocalParameter: ...
    @property
    def prelu_param(self) -> PReLUParameter: ...
    @property
    def insanity_param(self) -> InsanityParameter: ...
    @property
    def triplet_loss_param(self) -> TripletLossParameter: ...
    @property
    def roi_pooling_param(self) -> ROIPoolingParameter: ...
    @property
    def eltwise_affine_param(self) -> EltwiseAffineParameter: ...
    @property
    def sub_region_param(self) -> SubRegionParameter: ...
    @property
    def noise_param(self) -> NormFaceNoiseParameter: ...
    @property
    def relu6_param(self) -> ReLU6Parameter: ...
    @property
    def binary_accuracy_param(self) -> BinaryAccuracyParameter: ...
    @property
    def eltwise_accuracy_param(self) -> EltwiseAccuracyParameter: ...
    @property
    def red_softmax_loss_param(self) -> RedSoftmaxWithLossParameter: ...
    @property
    def red_accuracy_param(self) -> RedAccuracyParameter: ...
    @property
    def select_seg_binary_param(self) -> SelectSegBinaryParameter: ...
    @property
    def unpooling_param(self) -> UnpoolingParameter: ...
    @property
    def window_cls_data_param(self) -> WindowClsDataParameter: ...
    @property
    def deformable_convolution_param(self) -> DeformableConvolutionParameter: ...
    @property
    def relux_param(self) -> ReLUXParameter: ...
    @property
    def frcnn_anchor_target_param(self) -> FrcnnAnchorTargetParameter: ...
    @property
    def frcnn_proposal_param(self) -> FrcnnProposalParameter: ...
    @property
    def frcnn_proposal_target_param(self) -> FrcnnProposalTargetParameter: ...
    @property
    def boxes_obj_param(self) -> BoxesObjParameter: ...
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
        strict_dim: bool | None = ...,
        adaptive_bias_channel_param: AdaptiveBiasChannelParameter | Mapping[str, Any] | None = ...,
        bias_channel_param: BiasChannelParameter | Mapping[str, Any] | None = ...,
        censor_label_param: CensorLabelParameter | Mapping[str, Any] | None = ...,
        channel_aggregator_param: ChannelAggregatorParameter | Mapping[str, Any] | None = ...,
        dense_crf_param: DenseCRFParameter | Mapping[str, Any] | None = ...,
        dominant_channel_param: DominantChannelParameter | Mapping[str, Any] | None = ...,
        euclidean_loss_param: EuclideanLossParameter | Mapping[str, Any] | None = ...,
        gain_channel_param: GainChannelParameter | Mapping[str, Any] | None = ...,
        histogram_param: HistogramParameter | Mapping[str, Any] | None = ...,
        ignore_overlay_param: IgnoreOverlayParameter | Mapping[str, Any] | None = ...,
        interp_param: InterpParameter | Mapping[str, Any] | None = ...,
        mat_read_param: MatReadParameter | Mapping[str, Any] | None = ...,
        mat_write_param: MatWriteParameter | Mapping[str, Any] | None = ...,
        onehot_param: OneHotParameter | Mapping[str, Any] | None = ...,
        padding_param: PaddingParameter | Mapping[str, Any] | None = ...,
        seg_accuracy_param: SegAccuracyParameter | Mapping[str, Any] | None = ...,
        softmaxloss_param: SoftmaxLossParameter | Mapping[str, Any] | None = ...,
        unique_label_param: UniqueLabelParameter | Mapping[str, Any] | None = ...,
        bn_param: BNParameter | Mapping[str, Any] | None = ...,
        local_param: LocalParameter | Mapping[str, Any] | None = ...,
        prelu_param: PReLUParameter | Mapping[str, Any] | None = ...,
        insanity_param: InsanityParameter | Mapping[str, Any] | None = ...,
        triplet_loss_param: TripletLossParameter | Mapping[str, Any] | None = ...,
        roi_pooling_param: ROIPoolingParameter | Mapping[str, Any] | None = ...,
        eltwise_affine_param: EltwiseAffineParameter | Mapping[str, Any] | None = ...,
        sub_region_param: SubRegionParameter | Mapping[str, Any] | None = ...,
        noise_param: NormFaceNoiseParameter | Mapping[str, Any] | None = ...,
        relu6_param: ReLU6Parameter | Mapping[str, Any] | None = ...,
        binary_accuracy_param: BinaryAccuracyParameter | Mapping[str, Any] | None = ...,
        eltwise_accuracy_param: EltwiseAccuracyParameter | Mapping[str, Any] | None = ...,
        red_softmax_loss_param: RedSoftmaxWithLossParameter | Mapping[str, Any] | None = ...,
        red_accuracy_param: RedAccuracyParameter | Mapping[str, Any] | None = ...,
        select_seg_binary_param: SelectSegBinaryParameter | Mapping[str, Any] | None = ...,
        unpooling_param: UnpoolingParameter | Mapping[str, Any] | None = ...,
        window_cls_data_param: WindowClsDataParameter | Mapping[str, Any] | None = ...,
        deformable_convolution_param: DeformableConvolutionParameter | Mapping[str, Any] | None = ...,
        relux_param: ReLUXParameter | Mapping[str, Any] | None = ...,
        frcnn_anchor_target_param: FrcnnAnchorTargetParameter | Mapping[str, Any] | None = ...,
        frcnn_proposal_param: FrcnnProposalParameter | Mapping[str, Any] | None = ...,
        frcnn_proposal_target_param: FrcnnProposalTargetParameter | Mapping[str, Any] | None = ...,
        boxes_obj_param: BoxesObjParameter | Mapping[str, Any] | None = ...,
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
