// How an emulated engine behaves: an honest, healthy one by default. Everything here can be changed while it runs.

export interface Conduct {
  /** Of each answer; 0 is as fast as possible. */
  tokensPerSecond: number
  firstTokenDelayMs: number
  /** Tokens per chunk of a stream. */
  chunkTokens: number
  /**
   * Ends an answer after this many tokens: `cut` resets the connection, `eof` closes it as if all were well, `error`
   * sends vLLM's error chunk.
   */
  death: { afterTokens: number; how: 'cut' | 'eof' | 'error' } | null
  /** Says nothing more after this many tokens and keeps the connection open. */
  hangAfterTokens: number | null
  /** Sends a line that is not JSON after this many tokens, and goes on. */
  garbageAfterTokens: number | null
  /** Refuses every request with this HTTP status and vLLM's error body. */
  refuseStatus: number | null
  /** Says so only in the stream, after a status of 200, as vLLM does with what it checks late. */
  refuseLate: boolean
  /** Ends every answer at once, with no text. */
  emptyAnswer: boolean
  /** Multiplies the completion tokens it claims in `usage`. */
  claimFactor: number
  /** What it says the token ids were: `bytes` decode to the same text but are many more, `wrong` do not. */
  tokenIds: 'true' | 'bytes' | 'wrong' | 'none'
  /** Adds fields no client should ever see. */
  unknownFields: boolean
  /** Makes one chunk carry an extra field this large. */
  oversizeChunkBytes: number | null
  /** Goes on past `max_tokens` by this many tokens. */
  overGenerateTokens: number
  /** Thinks aloud before it answers, in `reasoning`. */
  reasons: boolean
}

export const goodConduct: Conduct = {
  tokensPerSecond: 0,
  firstTokenDelayMs: 0,
  chunkTokens: 1,
  death: null,
  hangAfterTokens: null,
  garbageAfterTokens: null,
  refuseStatus: null,
  refuseLate: false,
  emptyAnswer: false,
  claimFactor: 1,
  tokenIds: 'true',
  unknownFields: false,
  oversizeChunkBytes: null,
  overGenerateTokens: 0,
  reasons: false,
}
