// htmx's attributes in JSX.
import 'preact'

declare module 'preact' {
  namespace JSX {
    interface HTMLAttributes {
      [hx: `hx-${string}`]: string | boolean | undefined
    }
  }
}
