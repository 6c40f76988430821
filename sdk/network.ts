// What hub and host agree on when a host measures its line.

/** Bytes of one transfer at most. */
export const mostTransferBytes = 8 * 1024 * 1024
