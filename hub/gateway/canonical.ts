// One spelling for each JSON value, so that the same request written twice is the same text: object keys in order,
// no spaces, numbers and strings as JSON.stringify writes them.

/** Throws nothing and recurses as deep as the value is: body.ts bounds that. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join()}}`
}
