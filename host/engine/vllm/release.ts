// The one vLLM that this program runs: in a container by the digest of its image, in a process by the hashes of its
// packages (requirements.txt). Both are built for CUDA 13, which no driver older than 580 runs.

export const release = {
  version: '0.31.0',
  /** The index of all architectures, as Docker Hub has it under `v0.31.0`. */
  image: 'vllm/vllm-openai@sha256:c1c9f6fd5c109ba7f0546a59f5b2f15fb87f64c77782e90a27b648b42a8e67c3',
  leastDriver: 580,
  /** Compressed, as it is downloaded (amd64). */
  imageBytes: 9.0e9,
} as const

/** An image by its digest: what a name means can change, what a digest means cannot. */
export const IMAGE = /^[a-z0-9][\w./:-]{0,200}@sha256:[0-9a-f]{64}$/
