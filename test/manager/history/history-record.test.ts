// Records keep every field, and those of the release before votes had a policy are read.
import { readFileSync } from 'node:fs'
import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import type { HistoryRecord } from '../../../src/manager/history/configuration-history.js'
import {
  decodeRecord,
  encodeRecord,
  epochOfRecord,
} from '../../../src/manager/history/history-record.js'
import { loadSegment } from '../../../src/manager/history/version-1/segments.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { CREATED, diskOf, registered, SELF } from './history-fixture.js'
import { failureOf } from './raft-store-fixture.js'

const VOTES = [
  { voter: SELF, role: 'manager', approve: true, policy: false, reason: '' },
  { voter: testPeer(3), role: 'storage', approve: false, policy: true, reason: 'no room — now' },
  { voter: testPeer(4), role: 'storage', approve: false, policy: false, reason: 'the last copy' },
] as const
const RECORD: HistoryRecord = {
  epoch: epoch(700),
  at: '2026-01-01T00:00:00.000Z',
  proposer: 'tést',
  text: 'line',
  votes: VOTES,
  change: registered(testPeer(2)),
}

test('a record keeps every field, and only whole ones are read', t => {
  const bytes = encodeRecord(RECORD)
  t.deepEqual(decodeRecord(bytes), RECORD)
  const created = { ...RECORD, epoch: epoch(1), change: CREATED, votes: [] }
  t.deepEqual(decodeRecord(encodeRecord(created)), created)
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

test('a record of a newer release is named as that', async t => {
  const bytes = Uint8Array.from(encodeRecord(RECORD))
  bytes[1] = 3
  const error = await failureOf(Promise.resolve().then(() => decodeRecord(bytes)))
  t.ok(isSwarmdiskError(error, 'corrupt'), 'refused')
  t.match(String(error), /version 3 of a record.*use the release that wrote it/)
})

test('the epoch of a record is known without the rest', t => {
  for (const n of [1, 0xfb, 0xfc, 0xfd, 0x10000, 2 ** 30 - 1]) {
    t.equal(epochOfRecord(encodeRecord({ ...RECORD, epoch: epoch(n) })), n)
  }
  t.equal(epochOfRecord(new Uint8Array(0)), 0, 'an entry without a record')
  t.equal(epochOfRecord(Uint8Array.of(0)), 0, 'nor has this one')
  t.end()
})

test('records of version 1 are read, their votes without a policy', async t => {
  const url = new URL('../../fixtures/formats/manager-v1/log-0000000001', import.meta.url)
  const path = 'manager/log-0000000001'
  const disk = await diskOf(new Map([[path, new Uint8Array(readFileSync(url))]]))
  const file = await disk.open(path, 'existing')
  const { records } = await loadSegment(file!, { path, firstEpoch: 1, last: true })
  t.deepEqual(
    records.map(record => decodeRecord(record).epoch),
    [1, 2, 3, 4, 5],
  )
  t.deepEqual(records.map(epochOfRecord), [1, 2, 3, 4, 5], 'the epochs alone')
  const { votes, proposer, change } = decodeRecord(records[0]!)
  t.deepEqual(votes, [{ voter: SELF, role: 'manager', approve: true, policy: false, reason: '' }])
  t.equal(proposer, 'operator at client 0000beef')
  t.deepEqual(change, CREATED)
})
