import SecretStream from '@hyperswarm/secret-stream'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import test, { type Test } from 'tape'
import { silentLog } from '../../../src/base/log.js'
import { peerIdOf } from '../../../src/net/identity.js'
import { UNSHARED_FRAMES } from '../../../src/net/wire/frame-memory.js'
import { ReadBuffer } from '../../../src/net/swarm/frame-assembler.js'
import { MessageSocket, type MessageMemory } from '../../../src/net/swarm/message-socket.js'
import { Shortcut } from '../../../src/net/swarm/shortcut.js'
import { StreamLink } from '../../../src/net/swarm/stream-link.js'
import { undo } from '../../helpers/undo.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { HOST, until } from './loopback.js'

const TIMEOUT = { timeout: 60_000 }
const MEMORY: MessageMemory = {
  buffer: new ReadBuffer(),
  frames: {
    ...UNSHARED_FRAMES,
    take: bytes => Buffer.allocUnsafeSlow(bytes),
    lend: () => undefined,
  },
}

/** One end of a Noise stream over TCP, and what came out of it, whichever way. */
class End {
  readonly below: MessageSocket
  readonly stream: SecretStream
  readonly received: Buffer[] = []
  closed = false
  shortcut: Shortcut | null = null

  constructor(isInitiator: boolean, below: MessageSocket) {
    this.below = below
    this.stream = new SecretStream(isInitiator, below.socket)
    this.stream.on('data', this.#keep)
    this.stream.on('error', () => undefined)
    this.stream.on('close', () => (this.closed = true))
    below.trust()
  }

  take(): Shortcut | null {
    const { stream, below } = this
    this.shortcut = Shortcut.take({ stream, below, received: this.#keep })
    return this.shortcut
  }

  send(frame: Buffer): void {
    if (!this.shortcut) return void this.stream.write(Buffer.from(frame))
    const memory = this.shortcut.allocate(frame.length)
    memory.set(frame)
    this.shortcut.send(memory)
  }

  readonly #keep = (frame: Uint8Array): void => void this.received.push(Buffer.from(frame))
}

async function pair(t: Test): Promise<{ dialled: End; accepted: End }> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, HOST)
  await once(server, 'listening')
  undo(t, () => server.close())
  const { port } = server.address() as AddressInfo
  const dialled = new End(true, MessageSocket.connect({ host: HOST, port }, MEMORY))
  undo(t, () => dialled.stream.destroy())
  const [socket] = (await once(server, 'connection')) as [Socket]
  const below = MessageSocket.accept(socket, MEMORY)
  if (!below) throw new Error('this version of node cannot take over a socket')
  const accepted = new End(false, below)
  undo(t, () => accepted.stream.destroy())
  for (const [from, to] of [
    [dialled, accepted],
    [accepted, dialled],
  ] as const) {
    from.send(Buffer.from('hello'))
    await until('the first message', () => to.received.length === 1)
  }
  return { dialled, accepted }
}

test('shortcut: frames arrive whole and in order, and as on the stream', TIMEOUT, async t => {
  const random = new SeededRandom(5)
  const { dialled, accepted } = await pair(t)
  const sizes = [1, 2, 50, 4_096, 16_384, 32_700, 65_536, 300_000, 1_048_576]
  const sent = Array.from({ length: 120 }, (_, i) => Buffer.alloc(random.pick(sizes), i + 1))
  for (const [i, frame] of sent.entries()) {
    for (const end of [dialled, accepted]) {
      // One side after the other, in the middle of all that comes in.
      if (i > (end === dialled ? 20 : 70) && !end.shortcut) end.take()
      end.send(frame)
    }
    if (random.chance(0.3)) await new Promise(resolve => setImmediate(resolve))
  }
  for (const end of [dialled, accepted]) {
    await until('all frames', () => end.received.length === sent.length + 1)
    t.ok(end.shortcut, 'it was taken')
    const right = end.received.slice(1).every((frame, i) => frame.equals(sent[i]!))
    t.ok(right, `${sent.length} frames`)
  }
})

test('shortcut: a direct link takes it by itself, with its first frames', TIMEOUT, async t => {
  const { dialled, accepted } = await pair(t)
  const frames: string[] = []
  const links = [dialled, accepted].map(({ stream, below }) => {
    const remote = peerIdOf(stream.remotePublicKey!)
    const link = new StreamLink({ stream, remote, kind: 'direct', log: silentLog, below })
    const frame = (bytes: Uint8Array): void => void frames.push(Buffer.from(bytes).toString())
    link.listen({ frame, drain: () => undefined, closed: () => undefined })
    return link
  })
  const say = (text: string): void => {
    for (const link of links) {
      const memory = link.allocate(text.length)
      Buffer.from(text).copy(memory)
      t.ok(link.send(memory), 'there is room for more')
    }
  }
  say('first')
  await until('the first ones', () => frames.length === 2)
  let throughStreams = 0
  for (const { below } of [dialled, accepted]) below.socket.on('data', () => throughStreams++)
  say('second')
  await until('the second ones', () => frames.length === 4)
  t.deepEqual(frames, ['first', 'first', 'second', 'second'])
  t.equal(throughStreams, 0, 'the streams do not see them')
  for (const link of links) link.close()
  await until('the streams end with the links', () => dialled.closed && accepted.closed)
})

test('shortcut: not as long as something waits in the stream', TIMEOUT, async t => {
  const { dialled, accepted } = await pair(t)
  dialled.send(Buffer.from('this has to go first'))
  t.equal(dialled.take(), null, 'it is written, and not encrypted yet')
  await until('it has gone', () => accepted.received.length === 2)
  t.ok(dialled.take())
  dialled.send(Buffer.from('then this'))
  await until('it has come', () => accepted.received.length === 3)
  t.equal(accepted.received.at(-1)?.toString(), 'then this')
})

test('shortcut: what was not allocated by it is copied', TIMEOUT, async t => {
  const { dialled, accepted } = await pair(t)
  const frame = Buffer.from('of somebody else')
  dialled.take()?.send(frame)
  t.equal(frame.toString(), 'of somebody else', 'nobody has encrypted it in place')
  await until('it has come', () => accepted.received.length === 2)
  t.equal(accepted.received.at(-1)?.toString(), 'of somebody else')
})

test('shortcut: empty messages keep alive, and are no frames', TIMEOUT, async t => {
  const { dialled, accepted } = await pair(t)
  accepted.take()
  dialled.send(Buffer.alloc(0))
  dialled.send(Buffer.from('next'))
  await until('the next has come', () => accepted.received.length === 2)
  t.equal(accepted.received.at(-1)?.toString(), 'next')
})

test('shortcut: what the other side has not sent ends the stream', TIMEOUT, async t => {
  for (const [what, body] of [
    ['a forged message', Buffer.alloc(100, 7)],
    ['one that is too short', Buffer.alloc(5)],
    ['one without anything', Buffer.alloc(0)],
  ] as const) {
    const { dialled, accepted } = await pair(t)
    accepted.take()
    const length = Buffer.alloc(3)
    length.writeUIntLE(body.length, 0, 3)
    dialled.below.socket.write(Buffer.concat([length, body]))
    await until(what, () => accepted.closed && dialled.closed)
    t.equal(accepted.received.length, 1, `${what}: nothing was delivered`)
  }
})

test('shortcut: a stream that is not as we know it keeps its way', TIMEOUT, async t => {
  const { dialled } = await pair(t)
  const received = (): void => undefined
  for (const missing of ['_encrypt', '_decrypt', '_writableState', '_readableState']) {
    const stream = Object.create(dialled.stream, {
      [missing]: { value: undefined },
    }) as SecretStream
    t.equal(Shortcut.take({ stream, below: dialled.below, received }), null, `without ${missing}`)
  }
  t.ok(dialled.take(), 'with all of them it is taken')
})
