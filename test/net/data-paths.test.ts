// Direct links come and go under the data: nothing is answered twice or from an old path, and what
// was lost is said to be lost.
import test from 'tape'
import type { PeerId } from '../../src/base/brands.js'
import { byteCount } from '../../src/base/brands.js'
import {
  LINK_DOUBT_MS,
  LINK_SILENCE_MS,
  PING_INTERVAL_MS,
  REQUEST_BYTES_MAX,
} from '../../src/base/limits.js'
import { LOST } from '../../src/net/peers.js'
import { addressOf, dataReply, Playground, readRequest, type Seat } from './peers-fixture.js'

function read(play: Playground, from: Seat, to: PeerId): Promise<'ok' | 'lost'> {
  const reply = from.table.request(to, 'read', readRequest(100)).then(r => {
    return r === LOST ? 'lost' : 'ok'
  })
  return play.clock.settle('a read', reply, 30_000)
}

test('a broken direct link: LOST, then the swarm link, then a new direct link', async t => {
  const play = new Playground(1)
  const { client, server, answers } = play.askedPair({ addresses: [addressOf('d')] })
  await play.start(client, server)
  const outstanding = client.table.request(server.id, 'read', readRequest())
  await play.clock.until('it arrived', () => answers.length === 1)
  const path = client.table.find(server.id)?.path ?? 0
  play.swarm.allowed.direct = false
  t.equal(play.swarm.break(client.id, server.id, 'direct'), 1)
  t.equal(await play.clock.settle('lost', outstanding), LOST)
  t.deepEqual(client.events, ['connected d swarm', 'rerouted d swarm'])
  t.ok((client.table.find(server.id)?.path ?? 0) > path, 'the path number grew')
  answers[0]?.()
  // Both sides choose anew; the choice that comes second may take one more request with it.
  let reply: unknown = LOST
  for (let retries = 1; reply === LOST && retries <= 2; retries++) {
    const retry = client.table.request(server.id, 'read', readRequest())
    await play.clock.until('a retry arrived', () => answers.length === retries + 1)
    answers[retries]?.()
    reply = await play.clock.settle('answered', retry)
  }
  t.notEqual(reply, LOST, 'over the swarm link')
  play.swarm.allowed.direct = true
  const direct = (table: typeof client.table, other: PeerId) => (): boolean =>
    table.find(other)?.dataPath === 'direct'
  await play.clock.until('direct again', direct(client.table, server.id), 12_000)
  await play.clock.until('on both sides', direct(server.table, client.id), 1_000)
  t.ok(server.events.includes('rerouted c direct'))
  await play.stop(client, server)
  t.end()
})

test('a direct link that breaks makes a silent swarm link suspect', async t => {
  const play = new Playground(9)
  const { client, server } = play.pair()
  await play.start(client, server)
  await play.clock.until('direct', () => client.table.find(server.id)?.dataPath === 'direct', 5_000)
  // A killed process: TCP says so at once, the swarm link never does.
  play.swarm.partition(client.id, server.id)
  play.swarm.break(client.id, server.id, 'direct')
  const before = play.clock.now()
  await play.clock.until('given up', () => client.table.find(server.id) === undefined, 20_000)
  const waited = play.clock.now() - before
  t.ok(waited <= LINK_DOUBT_MS + 2 * PING_INTERVAL_MS, `after ${Math.round(waited)} ms`)
  t.ok(waited < LINK_SILENCE_MS, 'sooner than a link that nobody doubts')
  play.swarm.heal()
  await play.stop(client, server)
  t.end()
})

test('without direct links, data goes over the swarm link after one attempt', async t => {
  const play = new Playground(2)
  const { client, server } = play.pair()
  play.swarm.allowed.direct = false
  await play.start(client, server)
  const before = play.clock.now()
  t.equal(await read(play, client, server.id), 'ok')
  t.ok(play.clock.now() - before < 300, 'the failed attempt decides, not the time limit')
  await play.clock.advance(1_000)
  t.deepEqual(client.events, ['connected d swarm'])
  await play.stop(client, server)
  t.end()
})

test('an attempt that hangs holds data back for 300 ms only, on both sides', async t => {
  const play = new Playground(3, { delay: { least: 1, most: 2 } })
  const a = play.seat('a', { roles: ['storage'], addresses: [addressOf('a')] })
  const b = play.seat('b', { roles: ['storage'], addresses: [addressOf('b')] })
  b.table.serve('sync', (_request, _from, answer) => answer({ ok: true }))
  a.table.serve('sync', (_request, _from, answer) => answer({ ok: true }))
  a.network.dialAddress = () => new Promise(() => undefined)
  await play.start(a, b)
  const { volume, shard, epoch: allocation } = readRequest()
  const before = play.clock.now()
  const both = Promise.all([
    a.table.request(b.id, 'sync', { volume, shard, allocation }),
    b.table.request(a.id, 'sync', { volume, shard, allocation }),
  ])
  t.deepEqual(await play.clock.settle('both', both), [{ ok: true }, { ok: true }])
  const took = play.clock.now() - before
  t.ok(took > 200 && took < 400, `after ${took} ms`)
  await play.stop(a, b)
  t.end()
})

test('links that replace each other, and double dials, leave one link of a kind', async t => {
  for (let seed = 10; seed < 20; seed++) {
    const play = new Playground(seed, { delay: { least: 0.1, most: 40 } })
    const a = play.seat('a', { roles: ['storage'], addresses: [addressOf('a')] })
    const b = play.seat('b', { roles: ['storage'], addresses: [addressOf('b')] })
    play.swarm.discovery = false
    // Both dial, by identity and by address, at the same time.
    a.table.remember([{ id: b.id, addresses: [addressOf('b')] }])
    b.table.remember([{ id: a.id, addresses: [addressOf('a')] }])
    await play.start(a, b)
    await play.clock.advance(5_000)
    for (const kind of ['swarm', 'direct'] as const) {
      const links = play.swarm.links(a.id, b.id, kind)
      if (links.length !== 1) t.fail(`seed ${seed}: ${links.length} ${kind} links`)
    }
    const gone = [...a.events, ...b.events].filter(event => event.startsWith('disconnected'))
    t.deepEqual(gone, [], `seed ${seed}: nobody lost the other`)
    await play.stop(a, b)
  }
  t.end()
})

test('a link that comes later replaces one that is dead on the other side only', async t => {
  const play = new Playground(21)
  const { client, server } = play.pair()
  play.swarm.allowed.direct = false
  await play.start(client, server)
  await play.clock.advance(3_000)
  client.network.dialPeer(server.id)
  await play.clock.advance(1_000)
  t.equal(play.swarm.links(client.id, server.id, 'swarm').length, 1, 'the newer one is left')
  t.equal(await read(play, client, server.id), 'ok')
  t.notOk(client.events.some(event => event.startsWith('disconnected')))
  await play.stop(client, server)
  t.end()
})

test('a slow server: requests wait, control overtakes data, nothing is lost', async t => {
  const play = new Playground(30, { bandwidth: 10_000, window: 256 * 1024 })
  play.swarm.allowed.direct = false
  const both = play.seat('d', { roles: ['storage', 'manager'] })
  const client = play.seat('c', { roles: ['client'] })
  both.table.serve('read', (_request, _from, answer) => answer(dataReply(REQUEST_BYTES_MAX)))
  both.table.serve('admin', (request, _from, answer) => answer(request))
  await play.start(client, both)
  let done = 0
  const reads = Array.from({ length: 40 }, () =>
    client.table
      .request(both.id, 'read', { ...readRequest(), length: byteCount(REQUEST_BYTES_MAX) })
      .then(reply => {
        done++
        return reply
      }),
  )
  await play.clock.advance(300)
  const admin = client.table.request(both.id, 'admin', { json: '1' })
  t.deepEqual(await play.clock.settle('admin', admin), { json: '1' })
  t.ok(done > 0 && done < 20, `answered after ${done} of 40 reads`)
  const replies = await play.clock.settle('all', Promise.all(reads))
  t.ok(replies.every(reply => reply !== LOST))
  await play.stop(client, both)
  t.end()
})

test('whatever breaks: every request ends, and none is executed after its retry', async t => {
  for (let seed = 100; seed < 130; seed++) {
    const play = new Playground(seed, { delay: { least: 0.1, most: 30 } })
    const client = play.seat('c', { roles: ['client'] })
    const server = play.seat('d', { roles: ['storage'], addresses: [addressOf('d')] })
    const seen: number[] = []
    server.table.serve('read', (request, _from, answer) => {
      seen.push(request.offset)
      play.clock.after(play.random.below(50), () => answer(dataReply(1)))
    })
    client.table.remember([{ id: server.id, addresses: [addressOf('d')] }])
    await play.start(client, server)
    const outcome = { open: 0, ok: 0, lost: 0 }
    for (let step = 0; step < 400; step++) {
      const dice = play.random.below(100)
      if (dice < 3) play.swarm.break(client.id, server.id, play.random.pick(['swarm', 'direct']))
      else if (dice === 3) play.swarm.cut(client.id, server.id)
      else if (dice === 4) play.swarm.cut(server.id, client.id)
      else if (dice < 8) play.swarm.heal()
      else if (client.table.find(server.id)) {
        outcome.open++
        const request = { ...readRequest(), offset: step as never }
        void client.table.request(server.id, 'read', request).then(reply => {
          outcome.open--
          if (reply === LOST) outcome.lost++
          else outcome.ok++
        })
      }
      await play.clock.advance(play.random.below(dice < 20 ? 400 : 20))
    }
    play.swarm.heal()
    await play.clock.advance(20_000)
    // A one-way order is what retries rely on; each number was sent after the one before.
    const sorted = seen.every((offset, i) => i === 0 || offset > seen[i - 1]!)
    const path = [client.table.find(server.id), server.table.find(client.id)].map(p => p?.dataPath)
    if (outcome.open !== 0 || !sorted || path.join() !== 'direct,direct' || outcome.ok === 0) {
      t.fail(`seed ${seed}: ${JSON.stringify(outcome)}, sorted ${sorted}, paths ${path.join()}`)
    }
    await play.stop(client, server)
  }
  t.pass('30 walks')
  t.end()
})
