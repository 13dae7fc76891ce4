"""FCN-VGG16 and FCN-SqueezeNet written directly in PyTorch, without code of Caffe or of this project.

The reference of the speed benchmarks and of the training control. The geometry is that of the nets in nets/: a first
convolution padded by 100 (SqueezeNet: 16), pooling that rounds up, skips cropped to the coarser scores, and the last
scores cropped to the image.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

VGG16 = [f"conv{block}_{i}" for block, depth in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, depth + 1)]
FIRE = ("squeeze1x1", "expand1x1", "expand3x3")


def crop(x: Tensor, like: Tensor, offset: int) -> Tensor:
    """x from `offset` on, in the height and width of `like`."""
    return x[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]


class Upsample(nn.ConvTranspose2d):
    """Fixed bilinear interpolation. One kernel a channel: all that a full C×C deconvolution computes for it."""

    def __init__(self, classes: int, stride: int, kernel_size: int, padding: int = 0):
        super().__init__(classes, classes, kernel_size, stride, padding, groups=classes, bias=False)
        ramp = 1 - (torch.arange(kernel_size) - (kernel_size - 1) / 2).abs() / stride
        self.weight.data.copy_(torch.outer(ramp, ramp).expand_as(self.weight))
        self.weight.requires_grad_(False)


class Fcn(nn.Module):
    """Scores of a trunk's maps, coarsest first: each upsampled and added to the next, the last cropped to the image."""

    names: list[str]
    """What Caffe's weight files call the convolutions, in the order of definition."""

    def add_head(self, classes: int, widths: Sequence[int], ups: Sequence[Upsample], offsets: Sequence[int]) -> None:
        """widths: channels of the maps. ups, offsets: after each map's score, the upsampling, and where to crop."""
        self.scores = nn.ModuleList(nn.Conv2d(width, classes, 1) for width in widths)
        for parameter in self.scores.parameters():
            nn.init.zeros_(parameter)
        self.ups = nn.ModuleList(ups)
        self.offsets = offsets

    def maps(self, image: Tensor) -> list[Tensor]:
        """The maps to score, coarsest first."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """Scores of every class at every pixel; image: N×3×H×W."""
        first, *skips = (score(x) for score, x in zip(self.scores, self.maps(image), strict=True))
        fused = self.ups[0](first)
        for skip, up, offset in zip(skips, self.ups[1:], self.offsets, strict=False):
            fused = up(fused + crop(skip, fused, offset))
        return crop(fused, image, self.offsets[-1])

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """Every layer that learns, by its name in Caffe's weight files."""
        found = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        return dict(zip(self.names, found, strict=True))

    def load(self, weights: Mapping[str, Sequence[np.ndarray]]) -> None:
        """Take what `weights` has (name → weights, bias); what it lacks, such as new scores, stays as it is."""
        for name, layer in self.convolutions().items():
            if name in weights:
                for parameter, values in zip(layer.parameters(), weights[name], strict=True):
                    parameter.data.copy_(torch.from_numpy(np.array(values)))


class FcnVgg16(Fcn):
    """stride: 32, 16 or 8. at_once: scale the maps of the skips by 1/100 and 1/10000. ending: of the score names."""

    def __init__(
        self, classes: int = 21, stride: int = 8, at_once: bool = False, dropout: float = 0.5, ending: str = ""
    ):
        super().__init__()
        depth = (32, 16, 8).index(stride)
        self.block1 = block(3, 64, 2, padding=100)
        self.block2 = block(64, 128, 2)
        self.block3 = block(128, 256, 3)
        self.block4 = block(256, 512, 3)
        self.block5 = block(512, 512, 3)
        self.fc = nn.Sequential(
            *(nn.Conv2d(512, 4096, 7), nn.ReLU(inplace=True), nn.Dropout(dropout)),
            *(nn.Conv2d(4096, 4096, 1), nn.ReLU(inplace=True), nn.Dropout(dropout)),
        )
        ups = [Upsample(classes, 2, 4) for _ in range(depth)] + [Upsample(classes, stride, 2 * stride)]
        self.add_head(classes, (4096, 512, 256)[: depth + 1], ups, (*(5, 9)[:depth], (19, 27, 31)[depth]))
        self.scales = (1, 0.01, 0.0001) if at_once else (1, 1, 1)
        scores = ("score_fr", "score_pool4", "score_pool3")[: depth + 1]
        self.names = [*VGG16, "fc6", "fc7", *(name + ending for name in scores)]

    def maps(self, image: Tensor) -> list[Tensor]:
        pool3 = self.block3(self.block2(self.block1(image)))
        pool4 = self.block4(pool3)
        maps = (self.fc(self.block5(pool4)), pool4, pool3)[: len(self.scores)]
        return [x if scale == 1 else x * scale for x, scale in zip(maps, self.scales, strict=False)]


class FcnSqueezeNet(Fcn):
    """SqueezeNet 1.1; stride: 16, 8 or 4. ending: of the names of score layers."""

    def __init__(self, classes: int = 21, stride: int = 16, dropout: float = 0.5, ending: str = ""):
        super().__init__()
        depth = (16, 8, 4).index(stride)
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.to_fire3 = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2, padding=16), nn.ReLU(inplace=True), pool, Fire(64, 16, 64), Fire(128, 16, 64)
        )
        self.to_fire5 = nn.Sequential(pool, Fire(128, 32, 128), Fire(256, 32, 128))
        self.to_fire9 = nn.Sequential(
            *(pool, Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256), nn.Dropout(dropout))
        )
        ups = [Upsample(classes, 2, 3, 1) for _ in range(depth)]
        ups += [Upsample(classes, stride, 2 * stride - 1, stride - 1)]
        self.add_head(classes, (512, 256, 128)[: depth + 1], ups, (*(1, 3)[:depth], 1))
        scores = ("score_fr", "score_fire5", "score_fire3")[: depth + 1]
        fires = [f"fire{number}/{part}" for number in range(2, 10) for part in FIRE]
        self.names = ["conv1", *fires, *(name + ending for name in scores)]

    def maps(self, image: Tensor) -> list[Tensor]:
        fire3 = self.to_fire3(image)
        fire5 = self.to_fire5(fire3)
        return [self.to_fire9(fire5), fire5, fire3][: len(self.scores)]


class Fire(nn.Module):
    """SqueezeNet's module: 1×1 convolutions to few channels, then 1×1 and 3×3 beside one another."""

    def __init__(self, width: int, squeeze: int, expand: int):
        super().__init__()
        self.squeeze = nn.Conv2d(width, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.squeeze(x))
        return self.relu(torch.cat((self.expand1x1(x), self.expand3x3(x)), 1))


def block(width_in: int, width: int, depth: int, padding: int = 1) -> nn.Sequential:
    """`depth` 3×3 convolutions with ReLUs, the first padded by `padding`, and a 2×2 max pooling."""
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [
            nn.Conv2d(width if i else width_in, width, 3, padding=1 if i else padding),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.MaxPool2d(2, 2, ceil_mode=True))
