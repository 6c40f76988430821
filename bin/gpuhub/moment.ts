/** A time as every list shows it: ISO, in UTC, to the second. */
export function moment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
