// A mail server on this machine, for tests: takes letters, refuses them, or hangs.
import { createServer, type Socket } from 'node:net'

export type Mood = 'takes' | 'not now' | 'never' | 'hangs'

export interface MailServer {
  url: string
  mood: Mood
  /** As they came over the wire, headers and all. */
  letters: { to: string; text: string }[]
  /** Names and passwords that were shown. */
  logins: string[]
  close(): Promise<void>
}

export async function mailServer(): Promise<MailServer> {
  const sockets = new Set<Socket>()
  const state: MailServer = { url: '', mood: 'takes', letters: [], logins: [], close }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    if (state.mood !== 'hangs') socket.write('220 test ESMTP\r\n')
    serve(socket, state)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  state.url = `smtp://ada:secret@127.0.0.1:${port}`
  return state

  async function close() {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
}

function serve(socket: Socket, state: MailServer): void {
  let buffer = ''
  let letter: string[] | null = null
  let to = ''
  const say = (line: string) => socket.write(`${line}\r\n`)
  const command = (line: string) => {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'EHLO') return say('250-test\r\n250 AUTH PLAIN')
    if (verb === 'AUTH') {
      state.logins.push(
        Buffer.from(line.split(' ')[2] ?? '', 'base64')
          .toString()
          .split('\0')
          .slice(1)
          .join(':'),
      )
      return say('235 ok')
    }
    if (verb === 'RCPT') {
      to = /<(.*)>/.exec(line)?.[1] ?? ''
      if (state.mood === 'not now') return say('451 try later')
      if (state.mood === 'never') return say('550 no such user')
    }
    if (verb === 'DATA') {
      letter = []
      return say('354 go on')
    }
    return say(verb === 'QUIT' ? '221 bye' : '250 ok')
  }
  socket.on('data', (data) => {
    buffer += data.toString('utf8')
    for (let end = buffer.indexOf('\r\n'); end !== -1; end = buffer.indexOf('\r\n')) {
      const line = buffer.slice(0, end)
      buffer = buffer.slice(end + 2)
      if (state.mood === 'hangs') continue
      if (letter === null) command(line)
      else if (line === '.') {
        state.letters.push({ to, text: letter.join('\n') })
        letter = null
        say('250 taken')
      } else letter.push(line)
    }
  })
}
