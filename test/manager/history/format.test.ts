// The format on disk: a history written by version 1 stays readable, and records keep every field.
// SWARMDISK_WRITE_FIXTURES=1 writes the files of version 1 anew: only before version 1 is released.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import test from 'tape'
import { byteCount, epoch, volumeId } from '../../../src/base/brands.js'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import type { HistoryRecord } from '../../../src/manager/history/configuration-history.js'
import { decodeRecord, encodeRecord } from '../../../src/manager/history/history-record.js'
import { writeSnapshot } from '../../../src/manager/history/version-1/snapshot.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import {
  CREATED,
  diskOf,
  emptyDisk,
  filesOf,
  openHistory,
  ORIGIN,
  registered,
  SELF,
  type Files,
} from './history-fixture.js'

const VERSION_1 = new URL('../../fixtures/formats/manager-v1/', import.meta.url)

async function write(): Promise<Files> {
  const disk = emptyDisk()
  const history = await openHistory(disk)
  const [a, b, c] = [testPeer(2), testPeer(3), testPeer(4)]
  await history.propose(CREATED, ORIGIN)
  await history.propose(registered(a), ORIGIN)
  await writeSnapshot(disk, 'manager', history.current()!)
  await Promise.all([b, c].map(id => history.propose(registered(id), ORIGIN)))
  const volume = { name: 'data', size: byteCount(2 ** 30), replicas: 2, minInSync: 2 }
  const placement = [a, b, c, a, b, c, a, b].map(id => [id, id === a ? b : a])
  await history.propose({ kind: 'volume-created', ...volume, placement }, ORIGIN)
  await history.close()
  return filesOf(disk)
}

function stored(): Files {
  const names = readdirSync(VERSION_1)
  return new Map(
    names.map(name => [`manager/${name}`, new Uint8Array(readFileSync(new URL(name, VERSION_1)))]),
  )
}

test('a history of version 1 opens', async t => {
  if (process.env['SWARMDISK_WRITE_FIXTURES'] === '1') {
    mkdirSync(VERSION_1, { recursive: true })
    for (const [path, bytes] of await write()) {
      writeFileSync(new URL(path.replace('manager/', ''), VERSION_1), bytes)
    }
  }
  const files = stored()
  t.deepEqual(await write(), files, 'and is what is written today, byte for byte')
  const history = await openHistory(await diskOf(files))
  const current = history.current()!
  t.equal(current.epoch, 5)
  t.deepEqual([...current.servers.keys()], [2, 3, 4].map(testPeer))
  t.equal(current.volumes.get(volumeId(1))!.name, 'data')
  const records = await history.records(epoch(1), 10)
  t.deepEqual(
    records.map(record => record.epoch),
    [1, 2, 3, 4, 5],
    'also those behind the snapshot',
  )
  t.match(records[4]!.text, /^volume created: data, 1 GiB, 2 replicas in 8 shards/)
})

test('a record keeps every field, and only whole ones are read', t => {
  const votes = [
    { voter: SELF, role: 'manager', approve: true, reason: '' },
    { voter: testPeer(3), role: 'storage', approve: false, reason: 'no room — nowhere' },
  ] as const
  const record: HistoryRecord = {
    ...{ epoch: epoch(7), at: '2026-01-01T00:00:00.000Z', proposer: 'tést', text: 'line', votes },
    change: registered(testPeer(2)),
  }
  const bytes = encodeRecord(record)
  t.deepEqual(decodeRecord(bytes), record)
  t.deepEqual(decodeRecord(encodeRecord({ ...record, change: CREATED, votes: [] })).change, CREATED)
  for (let length = 0; length < bytes.length; length++) {
    try {
      decodeRecord(bytes.subarray(0, length))
      t.fail(`${length} bytes were accepted`)
    } catch (error) {
      if (!isSwarmdiskError(error, 'corrupt')) t.fail(String(error))
    }
  }
  t.end()
})
