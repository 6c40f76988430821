// The real socket to a hub: Bun's WebSocket client behind the few words the tunnel needs.
import { closeCode } from '../../sdk/wire/frames.ts'
import { PROOF_HEADER } from '../../sdk/wire/machine-key.ts'
import type { Socket, SocketEvents } from '../../sdk/wire/socket.ts'

export interface DialEvents extends SocketEvents {
  opened(): void
}

/** Opens a socket to a hub. `opened` comes before anything else; a dial that fails is `closed`. */
export type Dial = (address: string, token: string, events: DialEvents) => Socket

// The browser's types, which win here, do not know that Bun's client takes headers.
const Client = WebSocket as unknown as new (address: string, options: Bun.WebSocketOptions) => Bun.WebSocket

/** What the hub may have to say before there is a link to say it on; it may change, so the link is tried again. */
const refusals = [
  [' 403', 'the owner is suspended, or has to accept newer terms: see the hub’s pages'],
  [' 425', 'this machine’s clock is more than ten minutes off'],
] as const

/** `prove` makes what shows that a token is this machine's; null: there is nothing to show. */
export function dialWith(prove: (token: string) => string | null): Dial {
  return (address, token, events) => {
    const proof = prove(token)
    const headers = { authorization: `Bearer ${token}`, ...(proof === null ? {} : { [PROOF_HEADER]: proof }) }
    return dialled(new Client(address, { headers, perMessageDeflate: false }), events)
  }
}

/** Counts what is sent and received, without what the network adds to it. */
export function countedDial(dial: Dial, count: (bytes: number) => void): Dial {
  return (address, token, events) => {
    const socket = dial(address, token, {
      opened: () => events.opened(),
      message: (bytes) => (count(bytes.length), events.message(bytes)),
      closed: (code, why) => events.closed(code, why),
    })
    return {
      send: (message) => (count(message.length), socket.send(message)),
      close: (code, why) => socket.close(code, why),
      buffered: () => socket.buffered(),
    }
  }
}

function dialled(socket: Bun.WebSocket, events: DialEvents): Socket {
  socket.binaryType = 'arraybuffer'
  let trouble = ''
  let done = false
  const closed = (code: number, why: string) => {
    if (done) return
    done = true
    events.closed(code, why)
  }
  socket.onopen = () => events.opened()
  socket.onmessage = ({ data }) => {
    if (done) return
    if (data instanceof ArrayBuffer) return events.message(new Uint8Array(data))
    socket.close(closeCode.malformed, 'text is not spoken here')
    closed(closeCode.malformed, 'the hub sent text')
  }
  socket.onerror = (event) => {
    trouble = 'message' in event ? String(event.message) : ''
  }
  // A refused upgrade shows its HTTP status only in the text of the error before the close.
  socket.onclose = ({ code, reason }) => {
    if (trouble.endsWith(' 401')) return closed(closeCode.badToken, 'the hub does not know this token')
    const why = refusals.find(([status]) => trouble.endsWith(status))?.[1]
    closed(code, why ?? reason)
  }
  return {
    send(message) {
      if (socket.readyState !== WebSocket.OPEN) return false
      socket.send(message)
      return true
    },
    close(code, why) {
      // A hub that does not read would never take part in a closing handshake.
      if (code === closeCode.silent) socket.terminate()
      else socket.close(code, why.slice(0, 100))
    },
    buffered: () => socket.bufferedAmount,
  }
}
