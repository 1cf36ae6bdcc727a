#!/bin/sh
# Denoise a picture with curl: sh denoise.sh noisy.png clean.png [URL]
# If the service requires an API key, put it into N2N_API_KEY.
set -eu
url=${3:-http://localhost:8000}

curl --silent --show-error --fail-with-body \
  ${N2N_API_KEY:+--header "Authorization: Bearer $N2N_API_KEY"} \
  --form "file=@$1" --output "$2" "$url/denoise?model=auto"
echo "wrote $2"
