// A peer that was admitted, yet sends what no swarmdisk sends: its link is closed and counted, the
// process goes on, and nobody else notices.
import test from 'tape'
import { epoch, incarnation } from '../../src/base/brands.js'
import type { Link } from '../../src/net/link.js'
import { operations } from '../../src/net/operations.js'
import { encode } from '../../src/net/codecs/codec.js'
import { buildFrame, messageParcel, ownParcel, pathCodec } from '../../src/net/wire/entry.js'
import { encodeHello, PROTOCOL_VERSION, type Hello } from '../../src/net/wire/hello.js'
import { dataReply, idOf, Playground, readRequest, type Seat } from './peers-fixture.js'

const hello: Hello = {
  roles: ['client'],
  name: 'hostile',
  incarnation: incarnation(1),
  session: 1,
  connection: 1,
  cluster: null,
  epoch: epoch(0),
  addresses: [],
}
const helloFrame = buildFrame([ownParcel('hello', encodeHello(hello))])
const pathFrame = buildFrame([
  ownParcel('path', encode(pathCodec, { number: 1, seen: 0, following: false })),
])
const readParcel = messageParcel(
  { kind: 'request', lane: 'data', numbers: [operations.read.number, 1] },
  operations.read.request,
  readRequest(),
)

interface Scene {
  readonly play: Playground
  readonly server: Seat
  readonly handled: unknown[]
  /** Opens a link, sends the frames, and says whether the server closed it within a second. */
  readonly send: (...frames: readonly Uint8Array[]) => Promise<boolean>
}

async function scene(seed: number): Promise<Scene> {
  const play = new Playground(seed)
  const server = play.seat('d', { roles: ['storage'] })
  const handled: unknown[] = []
  server.table.serve('read', (request, _from, answer) => {
    handled.push(request)
    answer(dataReply(1))
  })
  server.table.serve('replicated', request => handled.push(request))
  await server.table.start()
  play.swarm.discovery = false
  const network = play.swarm.network(idOf('h'), { server: false })
  let arrived: Link | null = null
  await network.start({
    link: link => {
      arrived = link
    },
  })
  const send = async (...frames: readonly Uint8Array[]): Promise<boolean> => {
    arrived = null
    let closed = false
    network.dialPeer(server.id)
    await play.clock.until('a link', () => arrived !== null)
    const link = arrived as unknown as Link
    link.listen({
      frame: () => undefined,
      drain: () => undefined,
      closed: () => {
        closed = true
      },
    })
    for (const frame of frames) link.send(frame)
    await play.clock.advance(1_000)
    const result = closed
    link.close()
    await play.clock.advance(100)
    return result
  }
  return { play, server, handled, send }
}

test('what an honest peer sends is handled', async t => {
  const { play, server, handled, send } = await scene(1)
  t.notOk(await send(helloFrame, pathFrame, buildFrame([readParcel])))
  t.equal(handled.length, 1)
  await play.stop(server)
  t.end()
})

test('frames that no swarmdisk sends close the link', async t => {
  const { play, server, handled, send } = await scene(2)
  const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['no hello first', [pathFrame]],
    ['two hellos', [helloFrame, helloFrame]],
    ['an empty frame', [helloFrame, new Uint8Array(0)]],
    ['an entry longer than its frame', [helloFrame, Uint8Array.of(200, 1)]],
    ['an unknown kind of entry', [helloFrame, Uint8Array.of(1, 99)]],
    ['an unknown operation', [helloFrame, Uint8Array.of(3, 3, 250, 1)]],
    ['a notification as a request', [helloFrame, Uint8Array.of(3, 3, 17, 1)]],
    ['a request as a notification', [helloFrame, Uint8Array.of(3, 5, 1, 1)]],
    ['a reply to nothing', [helloFrame, Uint8Array.of(3, 4, 1, 1)]],
    ['a request cut short', [helloFrame, pathFrame, Uint8Array.of(4, 3, 1, 1, 7)]],
    ['a hello cut short', [helloFrame.subarray(0, -3)]],
  ]
  for (const [name, frames] of cases) t.ok(await send(...frames), name)
  t.equal(server.table.counters.malformed, cases.length, 'all counted')
  t.equal(handled.length, 0)
  t.equal(server.table.list().length, 0)
  await play.stop(server)
  t.end()
})

test('another protocol version is named once in the log', async t => {
  const { play, server, send } = await scene(3)
  const body = encodeHello(hello)
  body[0] = PROTOCOL_VERSION + 1
  const frame = buildFrame([ownParcel('hello', body.subarray(0, 5))])
  for (let i = 0; i < 3; i++) t.ok(await send(frame))
  t.equal(server.warnings.length, 1)
  const [theirs, ours] = [PROTOCOL_VERSION + 1, PROTOCOL_VERSION]
  const said = new RegExp(`speaks protocol version ${theirs}, this release speaks ${ours}:`)
  t.match(server.warnings[0] ?? '', said)
  await play.stop(server)
  t.end()
})

test('a role that may not send an operation is not heard, however well it encodes it', async t => {
  const { play, server, handled, send } = await scene(4)
  const forbidden = messageParcel(
    { kind: 'notice', lane: 'data', numbers: [operations.replicated.number] },
    operations.replicated.request,
    {
      volume: readRequest().volume,
      shard: readRequest().shard,
      allocation: epoch(1),
      sequence: 1 as never,
      durable: 0 as never,
      applied: true,
      resume: false,
    },
  )
  t.notOk(await send(helloFrame, pathFrame, buildFrame([forbidden, forbidden])))
  t.equal(handled.length, 0)
  t.equal(server.table.counters.ignored, 2)
  t.equal(server.warnings.length, 1)
  await play.stop(server)
  t.end()
})

test('a peer that says nothing is closed after the admission timeout', async t => {
  const { play, server, send } = await scene(5)
  t.notOk(await send())
  await play.clock.advance(5_000)
  t.equal(server.table.counters.malformed, 0)
  await play.stop(server)
  t.end()
})

test('random frames never get further than their link', async t => {
  const { play, server, send } = await scene(6)
  const good = buildFrame([readParcel, readParcel])
  for (let i = 0; i < 60; i++) {
    const frame = Uint8Array.from(i % 2 === 0 ? good : play.random.bytes(play.random.below(80)))
    for (let k = 0; k < 3; k++) frame[play.random.below(frame.length)] = play.random.below(256)
    await send(helloFrame, pathFrame, frame)
  }
  t.ok(server.table.counters.malformed > 20, `${server.table.counters.malformed} closed`)
  t.notOk(await send(helloFrame, pathFrame, good), 'and an honest frame is still handled')
  await play.stop(server)
  t.end()
})
