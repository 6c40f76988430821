# Starts llama.cpp's server as its command line would: the package has the server, but no command for it.
import json
import signal
import sys

import xllamacpp

facts = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = facts["model"]
params.model_alias = {"Qwen/Qwen3-8B"}
params.hostnames = ["127.0.0.1"]
params.port = facts["port"]
params.n_parallel = facts["slots"]
# Shared out among the slots.
params.n_ctx = facts["slots"] * facts["context"]
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
# Exact enough that the same words follow whether a text was read or written.
params.cache_type_k = xllamacpp.ggml_type.GGML_TYPE_F32
params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
params.endpoint_metrics = True
params.ui = False
server = xllamacpp.Server(params)
signal.pause()
