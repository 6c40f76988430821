import { charge, type Money, type Price } from '../../sdk/money.ts'

/** The most a request can cost: all of its prompt and every token it may produce, at the price it was admitted at. */
export function quote(price: Price, tokens: { prompt: number; mostOutput: number }): Money {
  return charge(price, { prompt: tokens.prompt, completion: tokens.mostOutput })
}
