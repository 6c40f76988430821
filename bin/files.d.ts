// Scripts that are embedded as text.
declare module '*.sh' {
  const text: string
  export default text
}
