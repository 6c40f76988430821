// What the hub sells, and what it asks of those who serve it.
import { CatalogPage, type CatalogVariant } from '../../sdk/catalog.ts'
import type { Env } from '../../sdk/env.ts'
import { HostError, printable } from '../errors.ts'
import { askHub, understood } from './ask.ts'

export interface Catalog extends Pick<CatalogPage, 'feePpm' | 'network'> {
  variants: CatalogVariant[]
}

const MOST_PAGES = 20

/** @throws HostError */
export async function readCatalog(env: Env, hub: string): Promise<Catalog> {
  const variants: CatalogVariant[] = []
  let before = ''
  for (let page = 1; ; page++) {
    const question = { hub, path: `/api/v1/catalog?limit=200${before && `&before=${encodeURIComponent(before)}`}` }
    const { data, next, feePpm, network } = understood(CatalogPage, question, await askHub(env, question))
    variants.push(...data)
    if (next === null || page === MOST_PAGES) return { variants, feePpm, network }
    before = next
  }
}

/** By variant id, or by model id, which means its default variant. @throws HostError */
export function findVariant({ variants }: Catalog, id: string): CatalogVariant {
  const found = variants.find((variant) => variant.id === id || (variant.isDefault && variant.model === id))
  if (found) return found
  throw new HostError(
    `"${printable(id.slice(0, 80))}" is not in this hub’s catalog. gpuhost models --all lists what is.`,
    2,
  )
}
