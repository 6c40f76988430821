/** A moment, in UTC until the page's script puts it into the reader's zone. `exact`: not relative to now. */
export function When({ at, exact = false }: { at: number; exact?: boolean }) {
  const iso = new Date(at).toISOString()
  return (
    <time dateTime={iso} data-as={exact ? 'exact' : undefined}>
      {iso.slice(0, 16).replace('T', ' ')} UTC
    </time>
  )
}
