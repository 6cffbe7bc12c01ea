"""Layer types and fields that forks have and we do not, by the fork whose sources have them."""

from __future__ import annotations

TYPES = {
    "Cambricon": (
        "Add AddPad CReLU Convolution3D CycleAdd CycleMult CycleSub DetectionOut DetectionPoseOutput ImageDetect "
        "MLUGrayNormalized MLUResizeConvert MLUResizecrop MLUYUVtoRGB Mult Pooling3D Sqrt SsdDetection Sub "
        "Yolov3Detection"
    ),
    "Cascade R-CNN": (
        "BoxGroupOutput DetectionData DetectionGroupAccuracy DetectionGroupLoss EvalData FrcnnOutput HardMining ScaleRoute"
    ),
    "CharlesShang": "AbsdistLoss Clustering LstmUnit MultipleInnerProduct NoBP PyramidLstm",
    "C3D": (  # in `layers`
        "CONVOLUTION3D DECONVOLUTION3D POOLING3D VIDEO_DATA VIDEO_SEGMENTATION_DATA VIDEO_WITH_VOXEL_TRUTH_DATA "
        "VOLUME_DATA VOXEL_CUSTOM_LOSS"
    ),
    "CPM": "CPMData",
    "CRF-RNN": "MULTI_STAGE_MEANFIELD MultiStageMeanfield",
    "DeconvNet": "UnPooling",
    "FlowNet2": (
        "Accum BlackAugmentation ChannelNorm Correlation Correlation1D CustomData DataAugmentation DisparityData "
        "Downsample FLOWriter FloatReader FloatWriter FlowAugmentation FlowWarp GenerateAugmentationParameters "
        "ImgReader ImgWriter LpqLoss Mean NegReLU PFMWriter Resample"
    ),
    "Intel": "EvalDetection MKLBatchNorm MnActivation",
    "LiteFlowNet": "ExpMax Grid NegSquare Warp",
    "MobileNet-YOLO": "AssistedExcitation GaussianYolov3 LaneData SegmentationEvaluate YoloSeg",
    "NVCaffe": "TRT",
    "NormFace": (
        "Arccos BatchContrastiveLoss ChannelScale ConfidencePenaltyLoss CorrelationLoss Cosine FCNAccuracy "
        "GeneralContrastiveLoss GeneralTripletLoss GlobalLSEMargin Gram Hotspot InnerDistance "
        "LargeMarginInnerProduct Local MovingNormalize MultiLabelImageData NCALoss Noise Pairwise PredictBox Resize "
        "Slope SoftContrastiveLoss SoftTruncation SubRegion Transformer Truncation"
    ),
    "PSPNet": (
        "AdaptiveBiasChannel BiasChannel DenseCRF DomainTransform DomainTransformForwardOnly MatRead MatWrite "
        "SpatialProduct UniqueLabel"
    ),
    "YOLO2": "BoxData Region",
    "bottom-up-attention": "InnerProductBlob",
    "caffe-pro": "Matmul",
    "jolibrain": (
        "BroadcastMul CrossEntropyLoss MemorySparseData MultiBoxFocalLoss MultiLabelAccuracy MultiLabelSigmoidLoss "
        "SeLuDropout SoftmaxWithInfogainLoss SparseData SparseInnerProduct"
    ),
    "yjxiong": "BatchReduction SegData SyncBN",
    "zhubenfu": "CTCGreedyDecoder DenseBlock MTCNNData MTCNNEuclideanLoss ReverseTime SoftmaxWithLossMultiLabel WarpCTCLoss",
}
FIELDS = {
    "Cambricon": (
        "addpad_param blobs_dtype bottom_mlu_dtype convolution3d_param crelu_param debug_dtype detection_out_param "
        "detection_pose_output_param external_output image_detect_param nearestneighbor_mode opt_level "
        "pooling3d_param priorbox_params pvanet_mode resize_convert_param resize_crop_param showtop sparse_mode "
        "sparsity top_mlu_dtype use_alpha_beta use_faster_roipooling yuv_input yuvtonormalizedgray_param "
        "yuvtorgb_param"
    ),
    "CRF-RNN": "multi_stage_meanfield_param",
    "DRML": "multilabel_num",
    "LocNet": "region_pooling_param",
    "PiCANet": "pw_attend_param renet_lstm_param",
    "TextBoxes++": "denser_prior_boxes",
    "caffe-heatmap": "visualise",
    "transfer-caffe": "mmd_param",
    "video-caffe": "kernel_shape pad_shape stride_shape",
    "CharlesShang": "clustering_param lstm_unit_param multiple_inner_product_param pyramid_lstm_param",
    "Intel": "multinode_param params_pair remote_data_param",
    "NVCaffe": "var_sz_img_enabled",
    "NormFace": "is_pyramid_test out_height_scale out_width_scale",
    "yjxiong": "debug_display length_first mem_data_source mpi_skip_step update_interval",
}
REMEDIES = {  # fields whose work another one does
    "debug_display": "debug_info shows its figures at each display",
    "mpi_skip_step": "ranks are dealt their records without it",
    "multinode_param": "torchrun joins machines, see docs/ranks.md",
    **{
        f"{name}_shape": f"{field}: [3, 3, 3] says it to a convolution; pooling over three axes is not there"
        for name, field in (("kernel", "kernel_size"), ("pad", "pad"), ("stride", "stride"))
    },
    "params_pair": "solver-train trains such a schedule of solvers; here one of them is wanted, in a file of its own",
    "update_interval": "iter_size takes so many passes an update",
    "var_sz_img_enabled": "img_rand_resize_lower, img_rand_resize_upper and crop_size work without it",
}
_TYPES, _FIELDS = ({name: fork for fork, names in rows.items() for name in names.split()} for rows in (TYPES, FIELDS))


def has_type(name: str) -> str:
    """` (of NVCaffe's fork)` for a layer type that a fork is known to have, else nothing."""
    return f" (of {_TYPES[name]}'s fork)" if name in _TYPES else ""


def has_field(name: str) -> str:
    """The same for a field of a message, and what does its work instead."""
    remedy = f": {REMEDIES[name]}" if name in REMEDIES else ""
    return f" (of {_FIELDS[name]}'s fork){remedy}" if name in _FIELDS else ""
