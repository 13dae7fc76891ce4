# The commands `fcn` and `caffe` on CPUs.   docker build -t fcn-caffe .   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD":/work fcn-caffe infer photo.jpg
FROM python:3.12-slim

# PyTorch for CPUs alone: without this line pip takes the one with CUDA, which is several GB larger.
RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu

WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY caffe caffe
COPY fcn_caffe fcn_caffe
COPY net_spec net_spec
COPY data_layers data_layers
COPY surgery surgery
COPY splits splits
RUN pip install --no-cache-dir '.[onnx,plots,video]'

RUN useradd --create-home user
USER user
WORKDIR /work
EXPOSE 8000
ENTRYPOINT ["fcn"]
CMD ["--help"]
