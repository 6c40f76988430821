// A socket whose token was good, until it is a link: the host says hello, once, soon, and is welcomed or refused.
import { decode, encodeJson } from '../../sdk/wire/codec.ts'
import { type Cancel, type Env } from '../../sdk/env.ts'
import { closeCode, kind, WireError } from '../../sdk/wire/frames.ts'
import type { Socket, SocketEvents } from '../../sdk/wire/socket.ts'
import type { Enrolment } from '../fleet/enrol.ts'
import type { Bearer } from '../fleet/token.ts'
import type { Log } from '../log.ts'
import { type Introduction, judge, locked, type Refusal, type Rules } from './hello.ts'
import type { Link } from './link.ts'
import type { Links } from './links.ts'
import type { Rate } from './rate.ts'

export const HELLO_WITHIN_MS = 10_000
/** How often one machine may link: many times as often as one whose network comes and goes, and no storm. */
export const PER_MACHINE = { atOnce: 20, perSecond: 0.2 }

export interface Reception extends Rules {
  env: Env
  log: Log
  enrolment: Pick<Enrolment, 'host'>
  links: Links
  machines: Rate
}

/** What becomes of one socket. Once it is a link, everything goes there. */
export class Visit implements SocketEvents {
  private stage: Link | 'silent' | 'speaking' | 'over' = 'silent'
  private readonly stopWaiting: Cancel

  /** `settled` is called once: when the visitor is a link, or is gone (null). */
  constructor(
    private readonly reception: Reception,
    private readonly bearer: Bearer,
    private readonly socket: Socket,
    private readonly settled: (link: Link | null) => void,
  ) {
    this.stopWaiting = reception.env.timer(HELLO_WITHIN_MS, () =>
      this.refuse({ code: 'bad_hello', message: 'No hello came within 10 seconds.', retry: true }),
    )
  }

  message(bytes: Uint8Array): void {
    if (typeof this.stage === 'object') return this.stage.message(bytes)
    if (this.stage === 'over') return
    if (this.stage === 'speaking') return this.refuse(tooEarly)
    this.stage = 'speaking'
    this.stopWaiting()
    const judgement = this.read(bytes)
    if ('code' in judgement) return this.refuse(judgement)
    void this.enrol(judgement)
  }

  closed(code: number): void {
    if (typeof this.stage === 'object') return this.stage.closed(code)
    if (this.stage !== 'over') this.leave()
  }

  private read(bytes: Uint8Array): Introduction | Refusal {
    const payloads: Uint8Array[] = []
    try {
      decode(bytes, (frame) => {
        if (frame.kind === kind.control) payloads.push(frame.payload)
      })
    } catch (error) {
      if (!(error instanceof WireError)) throw error
    }
    const [payload] = payloads
    return payload && payloads.length === 1 ? judge(payload, this.reception) : notHello
  }

  private async enrol(introduction: Introduction): Promise<void> {
    const { enrolment, links, log, machines } = this.reception
    const { machine, name, agent, hardware, failedUpdate = null } = introduction.hello
    if (!machines.take(`${this.bearer.ownerId} ${machine}`)) return this.refuse(tooOften)
    try {
      const enrolled = await enrolment.host({ ...this.bearer, machine, name, agent, hardware, failedUpdate })
      if (this.stage === 'over') return
      if (enrolled === 'too_many') return this.refuse(tooManyHosts)
      if (enrolled === 'locked') return this.refuse(locked)
      const who = { hostId: enrolled.id, ...this.bearer, simulated: hardware.simulated }
      this.stage = links.admit(this.socket, who, introduction, enrolled)
      this.settled(this.stage)
    } catch (error) {
      log.error('a host could not be welcomed', { error: String(error) })
      if (this.stage !== 'over') this.refuse(busy)
    }
  }

  private refuse(refusal: Refusal): void {
    if (this.stage === 'over') return
    this.reception.log.info('host refused', { owner: this.bearer.ownerId, code: refusal.code })
    this.socket.send(encodeJson(0, kind.control, { type: 'refused', ...refusal }))
    this.socket.close(CLOSES[refusal.code] ?? closeCode.malformed, refusal.code)
    this.leave()
  }

  private leave(): void {
    this.stage = 'over'
    this.stopWaiting()
    this.settled(null)
  }
}

const CLOSES: Partial<Record<Refusal['code'], number>> = { busy: closeCode.stopping, locked: closeCode.locked }

const notHello: Refusal = {
  code: 'bad_hello',
  message: 'The first message of a link must be one hello frame. Run `gpuhost update`.',
  retry: false,
}

const tooEarly: Refusal = {
  code: 'bad_hello',
  message: 'A host must wait for the welcome before it says more. Run `gpuhost update`.',
  retry: false,
}

const tooManyHosts: Refusal = {
  code: 'busy',
  message: "This owner has as many hosts as allowed. Remove one, or write to the hub's team.",
  retry: false,
}

const tooOften: Refusal = {
  code: 'busy',
  message: 'This machine links too often. It may come again in a few seconds.',
  retry: true,
}

const busy: Refusal = { code: 'busy', message: 'The hub cannot reach its database. Try again soon.', retry: true }
