// Peers meet, ask and answer, in their roles, over links that delay and break.
import test from 'tape'
import { epoch, sequence } from '../../src/base/brands.js'
import { SwarmdiskError } from '../../src/base/errors.js'
import { LOST } from '../../src/net/peers.js'
import { addressOf, dataReply, idOf, Playground, readRequest } from './peers-fixture.js'

test('peers connect, say who they are, and answer each other', async t => {
  const play = new Playground(1)
  const { client, server, reads } = play.pair()
  await play.start(client, server)
  const info = client.table.find(server.id)
  t.deepEqual(
    [info?.roles, info?.name, info?.incarnation, info?.epoch],
    [['storage'], 'd', 1, 0],
    'what the hello says',
  )
  const reply = await play.clock.settle(
    'a read',
    client.table.request(server.id, 'read', readRequest(1024 * 1024)),
  )
  t.ok(reply !== LOST && reply.payload.length === 1024 * 1024 && reply.payload[5] === 7, 'payload')
  t.equal(reads[0]?.id, client.id, 'the handler knows who asks')
  t.equal(client.table.find(server.id)?.dataPath, 'direct', 'over a direct link')
  t.deepEqual(client.events, ['connected d swarm'], 'the first decision is no rerouting')
  await play.stop(client, server)
  t.end()
})

test('a request to nobody, and one past its deadline, end with LOST', async t => {
  const play = new Playground(2)
  const { client, server, answers } = play.askedPair()
  await play.start(client, server)
  t.equal(await client.table.request(idOf('x'), 'read', readRequest()), LOST, 'no such peer')
  const before = play.clock.now()
  const late = client.table.request(server.id, 'read', readRequest(), { deadline: 500 })
  t.equal(await play.clock.settle('the deadline', late), LOST, 'too late')
  t.ok(play.clock.now() - before <= 501, 'in time')
  for (const answer of answers) answer()
  await play.clock.advance(100)
  t.equal(client.table.counters.malformed, 0, 'the late answer is dropped quietly')
  t.throws(() => answers[0]?.(), /answered once/, 'a second answer is a bug')
  await play.stop(client, server)
  t.end()
})

test('operations that roles forbid are ignored, counted, logged once', async t => {
  const play = new Playground(3)
  const storage = play.seat('a', { roles: ['storage'] })
  const other = play.seat('b', { roles: ['client'] })
  const manager = play.seat('s', { roles: ['manager'] })
  let believed = 0
  other.table.serve('configuration', () => believed++)
  storage.table.serve('read', () => believed++)
  await play.start(other, storage, manager)
  t.throws(
    () => storage.table.notify(other.id, 'configuration', { kind: 'current', epoch: epoch(1) }),
    /our roles/,
    'an honest table does not even send it',
  )
  // What a liar could send: the bytes of the notification, from a peer that is no manager.
  const liar = play.seat('l', { roles: ['manager', 'storage'] })
  await liar.table.start()
  await play.clock.until('met', () => liar.table.find(storage.id) !== undefined)
  for (let i = 0; i < 3; i++) {
    manager.table.notify(storage.id, 'configuration', { kind: 'current', epoch: epoch(1) })
    liar.table.notify(storage.id, 'replicated', {
      ...readRequest(),
      allocation: epoch(1),
      sequence: sequence(1),
      durable: sequence(0),
      applied: true,
      resume: false,
    })
  }
  await play.clock.advance(50)
  t.equal(believed, 0)
  t.equal(storage.table.counters.ignored, 6, 'nobody serves them there')
  t.equal(storage.warnings.length, 2, 'logged once for each')
  await play.stop(liar, other, storage, manager)
  t.end()
})

test('a handler that finds a message impossible closes the link, a bug goes up', async t => {
  const play = new Playground(4)
  const client = play.seat('c', { roles: ['client'] })
  const server = play.seat('d', { roles: ['storage'] })
  let failure: Error = new SwarmdiskError('protocol', 'no such thing')
  server.table.serve('read', () => {
    throw failure
  })
  await play.start(client, server)
  const lost = client.table.request(server.id, 'read', readRequest())
  t.equal(await play.clock.settle('closed', lost), LOST)
  t.equal(server.table.counters.malformed, 1)
  await play.clock.until('connected again', () => client.table.find(server.id) !== undefined)
  failure = new Error('a bug')
  void client.table.request(server.id, 'read', readRequest())
  try {
    await play.clock.advance(1_000)
    t.fail('the bug was swallowed')
  } catch (error) {
    t.equal((error as Error).message, 'a bug')
  }
  await play.stop(client, server)
  t.end()
})

test('a restarted peer is disconnected and connected, with its new incarnation', async t => {
  const play = new Playground(5)
  const { client, server } = play.pair()
  await play.start(client, server)
  play.swarm.crash(server.id, { silent: true })
  const again = play.seat('d', { roles: ['storage'], addresses: [addressOf('d')], incarnation: 2 })
  client.table.remember([{ id: server.id, addresses: [] }])
  await again.table.start()
  await play.clock.until('seen', () => client.table.find(server.id)?.incarnation === 2, 15_000)
  t.deepEqual(
    client.events.filter(event => !event.startsWith('rerouted')).map(e => e.split(' ')[0]),
    ['connected', 'disconnected', 'connected'],
  )
  await play.stop(client, again)
  t.end()
})

test('a silent peer is given up after six seconds, and redialled once it is back', async t => {
  const play = new Playground(6)
  const { client, server } = play.pair()
  await play.start(client, server)
  play.swarm.discovery = false
  client.table.remember([{ id: server.id, addresses: [addressOf('d')] }])
  await play.clock.advance(20_000)
  t.ok(client.table.find(server.id), 'an idle link stays')
  play.swarm.partition(client.id, server.id)
  const lost = client.table.request(server.id, 'read', readRequest())
  const before = play.clock.now()
  t.equal(await play.clock.settle('given up', lost), LOST)
  const took = play.clock.now() - before
  t.ok(took > 5_000 && took < 8_000, `after ${took} ms`)
  await play.clock.until('both gave up', () => server.table.list().length === 0, 9_000)
  play.swarm.heal()
  await play.clock.until('together again', () => client.table.find(server.id) !== undefined, 6_000)
  await play.stop(client, server)
  t.end()
})

test('a cut in one direction is noticed by both', async t => {
  const play = new Playground(7)
  const { client, server } = play.pair()
  await play.start(client, server)
  play.swarm.cut(server.id, client.id)
  await play.clock.until('client', () => client.table.list().length === 0, 10_000)
  await play.clock.until('server', () => server.table.list().length === 0, 10_000)
  await play.stop(client, server)
  t.end()
})

test('known addresses suffice when nobody is found by discovery', async t => {
  const play = new Playground(8)
  play.swarm.allowed.swarm = false
  const manager = play.seat('a', { roles: ['manager'], addresses: [addressOf('a')] })
  const client = play.seat('c', { roles: ['client'], seeds: [addressOf('a')] })
  const server = play.seat('d', { roles: ['storage'], addresses: [addressOf('d')] })
  server.table.serve('read', (request, _from, answer) => answer(dataReply(request.length)))
  manager.table.serve('admin', (request, _from, answer) => answer(request))
  client.table.remember([{ id: server.id, addresses: [addressOf('d')] }])
  server.table.remember([{ id: manager.id, addresses: [addressOf('a')] }])
  await play.start(manager, client, server)
  const read = () => client.table.request(server.id, 'read', readRequest(100))
  let reply = await play.clock.settle('read', read())
  // Both sides choose their path; the choice that comes second may take a request with it.
  if (reply === LOST) reply = await play.clock.settle('read again', read())
  t.ok(reply !== LOST && reply.payload.length === 100, 'data over the direct link')
  const admin = client.table.request(manager.id, 'admin', { json: '{}' })
  t.deepEqual(await play.clock.settle('admin', admin), { json: '{}' }, 'and control')
  play.swarm.break(client.id, manager.id)
  await play.clock.until('apart', () => client.table.find(manager.id) === undefined)
  await play.clock.until('redialled', () => client.table.find(manager.id) !== undefined, 4_000)
  await play.stop(manager, client, server)
  t.end()
})

test('stop ends what waits, without events, and frees the peers', async t => {
  const play = new Playground(9)
  const client = play.seat('c', { roles: ['client'] })
  const server = play.seat('d', { roles: ['storage'] })
  server.table.serve('read', () => undefined)
  await play.start(client, server)
  const pending = client.table.request(server.id, 'read', readRequest())
  await play.clock.advance(50)
  const events = client.events.length
  await play.stop(client)
  t.equal(await pending, LOST)
  t.equal(client.events.length, events, 'no events after stop')
  t.deepEqual(client.table.list(), [])
  await play.clock.until('the other side knows', () => server.table.list().length === 0)
  t.equal(await client.table.request(server.id, 'read', readRequest()), LOST)
  await play.stop(server)
  t.end()
})

test('the hello of later links carries what describe() said', async t => {
  const play = new Playground(10)
  const { client, server } = play.pair()
  server.table.describe({ cluster: null, epoch: epoch(17) })
  await play.start(client, server)
  t.equal(client.table.find(server.id)?.epoch, 17)
  await play.stop(client, server)
  t.end()
})
