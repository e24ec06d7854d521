// Which frames may be given back by who got an answer: the simulated memory spoils those at once.
import test from 'tape'
import { LOST } from '../../../src/net/peers.js'
import { dataReply, Playground, readRequest } from '../peers-fixture.js'

const whole = (payload: Uint8Array | undefined): boolean =>
  payload !== undefined && Buffer.compare(payload, dataReply(4096).payload) === 0

test('lent frames: an answer alone in its frame may be given back', async t => {
  const play = new Playground(1)
  const { client, server } = play.pair()
  await play.start(client, server)
  const request = client.table.request(server.id, 'read', readRequest())
  const reply = await play.clock.settle('an answer', request)
  const payload = reply === LOST ? undefined : reply.payload
  t.ok(whole(payload))
  client.network.memory.give(payload!)
  t.equal(client.network.memory.given, 1)
  t.notOk(whole(payload), 'spoiled')
  await play.stop(client, server)
})

test('lent frames: two answers in one frame are not', async t => {
  const play = new Playground(2)
  const { client, server, answers } = play.askedPair({ bytes: 4096 })
  await play.start(client, server)
  const requests = [1, 2].map(() => client.table.request(server.id, 'read', readRequest()))
  await play.clock.until('both asked', () => answers.length === 2)
  for (const answer of answers) answer()
  const replies = await play.clock.settle('answers', Promise.all(requests))
  const [first, second] = replies.map(reply => (reply === LOST ? undefined : reply.payload))
  t.equal(first?.buffer, second?.buffer, 'they share a frame')
  client.network.memory.give(first!)
  t.equal(client.network.memory.given, 0)
  t.ok(whole(second), 'the other one is whole')
  await play.stop(client, server)
})
