// Data directories: kept, refused to another role and cluster, and taken back where the first start
// did not come up.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'tape'
import { systemRandom } from '../../src/base/random.js'
import { openDataDirectory, type DataRole } from '../../src/cli/processes/data-directory.js'
import { ClusterKey } from '../../src/net/cluster-key.js'

const key = ClusterKey.generate(systemRandom)

function folderOf(t: test.Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'swarmdisk-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('identity stays, the incarnation grows', t => {
  const path = join(folderOf(t), 'deep', 'er')
  const open = (role: DataRole = 'storage', with_ = key): ReturnType<typeof openDataDirectory> =>
    openDataDirectory({ path, role, key: with_ })
  const first = open()
  t.throws(() => open(), /in use by process/, 'one process at a time')
  first.release()
  const second = open()
  t.deepEqual(second.keyPair.publicKey, first.keyPair.publicKey)
  t.equal(second.incarnation, first.incarnation + 1)
  second.discard()
  t.throws(() => open('manager'), /of a storage/, 'not for another role, and still there')
  t.throws(() => open('storage', ClusterKey.generate(systemRandom)), /another cluster/)
  const third = open()
  t.deepEqual(third.keyPair.publicKey, first.keyPair.publicKey, 'discard spares what was used')
  third.release()
  t.end()
})

test('a first start that is discarded leaves nothing', t => {
  const path = join(folderOf(t), 'new')
  openDataDirectory({ path, role: 'manager', key }).discard()
  t.deepEqual(existsSync(path) ? readdirSync(path) : [], [])
  t.end()
})

test('what a discarded start found, it leaves', t => {
  const path = folderOf(t)
  mkdirSync(join(path, 'storage'))
  writeFileSync(join(path, 'storage', 'blocks'), 'precious')
  openDataDirectory({ path, role: 'storage', key }).discard()
  t.deepEqual(readdirSync(path), ['storage'])
  t.ok(existsSync(join(path, 'storage', 'blocks')))
  t.end()
})

test('no folder where the kernel allows none', t => {
  const open = (): unknown => openDataDirectory({ path: '/proc/x/y', role: 'storage', key })
  t.throws(open, /cannot be made/)
  t.end()
})
