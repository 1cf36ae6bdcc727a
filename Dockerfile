# The service with its models. By default with torch for the CPU, a tenth of the size;
#   docker build --build-arg TORCH_INDEX=https://pypi.org/simple .
# takes the build for CUDA instead.

FROM python:3.12-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
RUN python -m venv /opt/n2n
COPY constraints.txt ./
# A layer of its own, made anew only when the pins change. torch alone is from its index, so that no other package
# of the same name can come from there, and everything else is from PyPI.
RUN /opt/n2n/bin/pip install --no-cache-dir --no-deps --constraint constraints.txt --index-url "$TORCH_INDEX" torch
COPY pyproject.toml README.md LICENSE ./
COPY n2n_core n2n_core
COPY n2n_client n2n_client
COPY service service
COPY weights weights
RUN /opt/n2n/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.12-slim
COPY --from=build /opt/n2n /opt/n2n
ENV PATH=/opt/n2n/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --system --no-create-home n2n && install -d -o n2n -g n2n /data
ENV N2N_DATA=/data
VOLUME /data
USER n2n
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz')"]
STOPSIGNAL SIGTERM
# It starts with an API key in /data (docs/access.md), or with N2N_INSECURE=true.
CMD ["n2n", "serve", "--host", "0.0.0.0", "--port", "8000"]
