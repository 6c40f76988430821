export interface Snippet {
  language: string
  code: string
}

/** The same thing in up to three languages; tabs that need no script. */
export function Samples({ id, of }: { id: string; of: Snippet[] }) {
  return (
    <div class="card flush samples" id={id}>
      <div class="tabs" role="group" aria-label="Language">
        {of.map(({ language }, i) => (
          <label>
            <input type="radio" name={`${id}-language`} value={i} checked={i === 0} />
            {language}
          </label>
        ))}
        <button type="button" class="copy" data-copy={`#${id}`}>
          Copy
        </button>
      </div>
      {of.map(({ code }) => (
        <pre tabIndex={0}>
          <code>{code}</code>
        </pre>
      ))}
    </div>
  )
}

/** One thing to copy. */
export function Command({ id, text }: { id: string; text: string }) {
  return (
    <div class="card key-box">
      <code id={id}>{text}</code>
      <button type="button" class="copy" data-copy={`#${id}`}>
        Copy
      </button>
    </div>
  )
}
