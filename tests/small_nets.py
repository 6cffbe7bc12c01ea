"""The nets of configs/ in little: their data from outside, wide layers narrow, nothing by chance."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from solver_cli import Net
from solver_cli.text import netspec, prototxt

CONFIGS = Path(__file__).parents[1] / "configs"
NETS = {  # {net: the shape of a picture}
    "mnist/lenet_train_test": (1, 28, 28),
    "mnist/mnist_autoencoder": (1, 28, 28),
    "cifar10/cifar10_quick_train_test": (3, 32, 32),
    "cifar10/cifar10_full_train_test": (3, 32, 32),
    "cifar10/cifar10_full_sigmoid_train_test_bn": (3, 32, 32),
    "siamese/mnist_siamese_train_test": (2, 28, 28),
    "unet/unet_small": (1, 45, 52),
    "unet/unet": (1, 188, 188),
    "caffenet/train_val": (3, 67, 67),
    "alexnet/train_val": (3, 67, 67),
    "googlenet/train_val": (3, 224, 224),
    "vgg16/train_val": (3, 32, 32),
    "resnet50/train_val": (3, 64, 64),
}
LABELS = {"unet/unet_small": (45, 52), "unet/unet": (4, 4)}  # of a picture
DETECTORS = {  # {net: the shapes of what its data layer gives}, for two pictures
    "ssd/train_test": [(2, 3, 96, 96), (1, 1, 5, 8)],
    "segnet/train_test": [(2, 3, 96, 96), (2, 1, 96, 96)],
    "faster_rcnn/train_test": [(2, 3, 64, 64), (2, 32, 5), (2, 32), *[(2, 32, 16)] * 3],
}


def written(name: str) -> str:
    """The text of a config that fits a test: narrow layers, no chance, data from outside."""
    param = netspec.read_net(str(CONFIGS / f"{name}.prototxt")).param
    kept = []
    for layer in param.layer:
        if layer.type in ("Data", "HDF5Data", "AnnotatedData", "DenseImageData"):
            rule = [include for include in layer.include if "test-on-train" not in include.stage]
            if layer.include and not rule:
                continue
            shapes = DETECTORS.get(name) or [(2, *NETS[name]), (2, *LABELS.get(name, ()))]
            for include in layer.include:
                include.ClearField("stage")
            layer.type = "DummyData"
            for field in (
                "data_param",
                "transform_param",
                "hdf5_data_param",
                "annotated_data_param",
                "dense_image_data_param",
            ):
                layer.ClearField(field)
            for shape, _ in zip(shapes, layer.top, strict=False):
                layer.dummy_data_param.shape.add(dim=shape)
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
        if layer.type == "DetectionEvaluate":
            layer.detection_evaluate_param.ClearField("name_size_file")
        if layer.type == "DetectionOutput":
            layer.detection_output_param.ClearField("save_output_param")
        if layer.name in ("fc6", "fc7"):
            layer.inner_product_param.num_output = 32
        if name == "unet/unet" and layer.convolution_param.num_output > 2:
            layer.convolution_param.num_output //= 8
        if name.startswith("resnet50") and layer.pooling_param.kernel_size == 7:
            layer.pooling_param.kernel_size = 2
        if layer.type != "Python":
            kept.append(layer)
    del param.layer[:]
    param.layer.extend(kept)
    return prototxt.to_text(param)


def randomised(net: Net) -> None:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for node in net.nodes:
            for blob in node.blobs():
                if node.param.type in ("BatchNorm", "Scale"):
                    blob.uniform_(0.5, 1.5, generator=generator)
                elif blob.dim() > 1:
                    small = 0.01 if node.name == "fc1000" else 1  # Caffe reports no loss above 87.3
                    blob.normal_(std=small * (2 / blob[0].numel()) ** 0.5, generator=generator)


def pictured(name: str) -> list[Tensor]:
    """What the data layer of a detector or segmenter gives for two pictures."""
    generator = torch.Generator().manual_seed(3)
    shapes = DETECTORS[name]
    given = [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    if name.startswith("ssd"):
        corner, side = torch.rand(2, 5, 2, generator=generator, dtype=torch.float64) * torch.tensor([[[0.6]], [[0.3]]])
        rows = given[1].view(5, 8)
        rows[:, 0], rows[:, 1], rows[:, 7] = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([1, 3, 1, 2, 2]), 0
        rows[:, 3:5], rows[:, 5:7] = corner, corner + side + 0.1
    elif name.startswith("segnet"):
        labels = torch.randint(0, 5, shapes[1], generator=generator).double()
        given[1] = torch.where(labels == 4, 255, labels)
    else:
        corner, side = torch.rand(2, 2, 32, 2, generator=generator, dtype=torch.float64) * 30
        given[1] = torch.cat((torch.arange(2.0).view(2, 1, 1).expand(2, 32, 1), corner, corner + side), 2)
        given[2] = torch.randint(0, 4, (2, 32), generator=generator).double()
    return given
