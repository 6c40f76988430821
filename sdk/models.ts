// The models on offer.
import type { Answered, RequestOptions, Transport } from './request.ts'

export interface Model {
  id: string
  object: 'model'
  created: number
  owned_by: string
  name: string
  context_length: number
  max_output_length: number
  precision: string
  /** USD per token, as decimal strings. */
  pricing: { prompt: string; completion: string }
  license: string
  license_url: string
  license_class: 'permissive' | 'restricted'
  base_model: string | null
  base_license: string | null
  attribution: string[]
  aup_url: string | null
  acknowledgement_required: boolean
  x_gpuhub: { hosts_online: number; revision: string | null }
}

export interface ModelList {
  object: 'list'
  data: Model[]
}

export class Models {
  constructor(private readonly transport: Transport) {}

  /**
   * Every model on offer.
   *
   * @example
   * for (const model of (await hub.models.list()).data) console.log(model.id, model.pricing.completion)
   */
  list(options?: RequestOptions): Promise<Answered<ModelList>> {
    return this.transport.json({ method: 'GET', path: '/v1/models' }, options)
  }

  /**
   * One model.
   *
   * @throws NotFoundError when the hub does not offer it.
   * @example
   * const model = await hub.models.retrieve('Qwen/Qwen3-8B')
   * console.log(model.context_length, model.x_gpuhub.hosts_online)
   */
  retrieve(id: string, options?: RequestOptions): Promise<Answered<Model>> {
    return this.transport.json({ method: 'GET', path: `/v1/models/${encodeURIComponent(id)}` }, options)
  }
}
