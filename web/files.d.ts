// Files that are embedded as text.
declare module '*.css' {
  const text: string
  export default text
}
declare module '*/assets/site.js' {
  const text: string
  export default text
}
declare module '*/assets/playground.js' {
  const text: string
  export default text
}
declare module 'htmx.org/dist/*' {
  const text: string
  export default text
}
