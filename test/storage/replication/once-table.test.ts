import test from 'tape'
import { requestNumber } from '../../../src/base/brands.js'
import { ONCE_CLIENTS_MAX, ONCE_NUMBERS_MAX } from '../../../src/base/limits.js'
import { spanBetween } from '../../../src/storage/replication/block-spans.js'
import { OnceTable } from '../../../src/storage/replication/once-table.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const origin = (request: number, client = 1) => {
  return { client: testPeer(client), request: requestNumber(request) }
}
const whole = spanBetween(0, 10)

test('what was executed is not executed again, block by block', t => {
  const table = new OnceTable()
  t.deepEqual(table.remaining(origin(1), whole), [whole], 'never seen')
  table.add(origin(1), spanBetween(2, 4))
  table.add(origin(1), spanBetween(4, 7))
  t.deepEqual(table.remaining(origin(1), whole), [spanBetween(0, 2), spanBetween(7, 10)])
  table.add(origin(1), whole)
  t.deepEqual(table.remaining(origin(1), whole), [])
  t.deepEqual(table.remaining(origin(1, 2), whole), [whole], 'numbers belong to a client')
  t.end()
})

test('what is complete at the client is forgotten, and never executed again', t => {
  const table = new OnceTable()
  for (let n = 1; n <= 5; n++) table.add(origin(n), whole)
  t.ok(table.trim(testPeer(1), requestNumber(4)), 'news')
  t.notOk(table.trim(testPeer(1), requestNumber(4)), 'no news')
  t.deepEqual(
    table.export().map(write => write.request),
    [4, 5],
  )
  t.deepEqual(table.remaining(origin(2), whole), [], 'a late copy does nothing')
  table.add(origin(2), whole)
  t.equal(table.export().length, 2, 'nor does it come back')
  t.end()
})

test('a table travels whole', t => {
  const table = new OnceTable()
  table.add(origin(1), spanBetween(0, 3))
  table.add(origin(1), spanBetween(6, 9))
  table.add(origin(7, 2), whole)
  const copy = new OnceTable()
  copy.add(origin(1), spanBetween(3, 6))
  copy.merge(table.export())
  t.deepEqual(copy.remaining(origin(1), whole), [spanBetween(9, 10)])
  t.deepEqual(copy.remaining(origin(7, 2), whole), [])
  t.end()
})

test('a table is bounded by clients and by requests', t => {
  const table = new OnceTable()
  for (let n = 0; n <= ONCE_NUMBERS_MAX; n++) table.add(origin(n), whole)
  t.equal(table.export().length, ONCE_NUMBERS_MAX)
  t.deepEqual(table.remaining(origin(0), whole), [whole], 'the lowest went')
  const clients = new OnceTable()
  for (let client = 1; client <= ONCE_CLIENTS_MAX; client++) clients.add(origin(1, client), whole)
  clients.trim(testPeer(1), requestNumber(1))
  clients.add(origin(1, ONCE_CLIENTS_MAX + 1), whole)
  t.deepEqual(clients.remaining(origin(1, 1), whole), [], 'heard of lately: kept')
  t.deepEqual(clients.remaining(origin(1, 2), whole), [whole], 'silent for longest: forgotten')
  t.end()
})
