// The format on disk: a store written by version 2 stays readable, and is what is written today.
// SWARMDISK_WRITE_FIXTURES=1 writes the files of version 2 anew: only before version 2 is released.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import test from 'tape'
import { testPeer } from '../../../helpers/scripted-peers.js'
import { diskOf, emptyDisk, filesOf, type Files } from '../history-fixture.js'
import {
  afterBatch,
  afterCompaction,
  at,
  batch,
  differences,
  emptyEntry,
  EMPTY,
  entry,
  hardState,
  openStore,
  snapshotAt,
  type Model,
} from '../raft-store-fixture.js'

const VERSION_2 = new URL('../../../fixtures/formats/manager-v2/', import.meta.url)

const FIRST = { ...entry(1, { term: 1, epoch: 1 }), members: [testPeer(1)] }
const WRITES = [
  batch({ hardState: hardState(1, testPeer(1)), entries: [FIRST], commit: at(1) }),
  batch({ entries: [2, 3, 4].map(n => entry(n, { term: 1, epoch: n })), commit: at(1) }),
  batch({ hardState: hardState(2) }),
  batch({ entries: [emptyEntry(4, 2), entry(5, { term: 2, epoch: 4 })], commit: at(3) }),
]
const SNAPSHOT = snapshotAt(3, 1)
const LATER = batch({ entries: [entry(6, { term: 2, epoch: 5 })], commit: at(5) })

async function write(): Promise<Files> {
  const disk = emptyDisk()
  const { store } = await openStore(disk)
  for (const one of WRITES) await store.persist(one)
  await store.compact(SNAPSHOT)
  await store.persist(LATER)
  await store.close()
  return filesOf(disk)
}

function model(): Model {
  return afterBatch(afterCompaction(WRITES.reduce(afterBatch, EMPTY), SNAPSHOT), LATER)
}

function stored(): Files {
  return new Map(
    readdirSync(VERSION_2).map(name => [
      `manager/${name}`,
      new Uint8Array(readFileSync(new URL(name, VERSION_2))),
    ]),
  )
}

test('a store of version 2 opens', async t => {
  const written = await write()
  if (process.env['SWARMDISK_WRITE_FIXTURES'] === '1') {
    rmSync(VERSION_2, { recursive: true, force: true })
    mkdirSync(VERSION_2, { recursive: true })
    for (const [path, bytes] of written) {
      writeFileSync(new URL(path.replace('manager/', ''), VERSION_2), bytes)
    }
  }
  const files = stored()
  t.deepEqual(written, files, 'and is what is written today, byte for byte')
  t.deepEqual(await differences(await openStore(await diskOf(files)), model()), [])
})
