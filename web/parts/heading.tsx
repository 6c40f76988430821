import type { ComponentChildren } from 'preact'

/** What a page is, in a line or two. */
export function Title({ children, note }: { children: ComponentChildren; note?: ComponentChildren }) {
  return (
    <div class="title">
      <h1>{children}</h1>
      {note !== undefined && <p class="muted">{note}</p>}
    </div>
  )
}

/** A part of a page; `note` says over what, `side` offers what one can do. */
export function Section({
  title,
  note,
  side,
  children,
}: {
  title: ComponentChildren
  note?: ComponentChildren
  side?: ComponentChildren
  children: ComponentChildren
}) {
  return (
    <section>
      <div class="heading">
        <h2>{title}</h2>
        {note !== undefined && <span class="muted small">{note}</span>}
        {side !== undefined && <span class="side">{side}</span>}
      </div>
      {children}
    </section>
  )
}
