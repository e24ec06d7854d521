// Data directories: made, opened again, and refused with a sentence where they are not what they
// should be. Nothing that somebody else put there is touched.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'tape'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import { systemRandom } from '../../../src/base/random.js'
import {
  lastProcess,
  openDataDirectory,
  type DataRole,
} from '../../../src/cli/processes/data-directory.js'
import type { ProcessMark } from '../../../src/cli/processes/live-process.js'
import { ClusterKey } from '../../../src/net/cluster-key.js'

const key = ClusterKey.generate(systemRandom)

function folder(t: test.Test): string {
  const path = mkdtempSync(join(tmpdir(), 'swarmdisk-test-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function open(path: string, role: DataRole = 'storage'): ReturnType<typeof openDataDirectory> {
  return openDataDirectory({ path, role, key })
}

/** The code and the sentence of the error. */
function refusal(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (isSwarmdiskError(error)) return `${error.code}: ${error.message}`
    throw error
  }
  return 'accepted'
}

test('a directory keeps its identity and counts its starts', t => {
  const path = join(folder(t), 'new/data')
  const first = open(path)
  t.ok(first.fresh, 'made')
  t.equal(first.incarnation, 1)
  t.match(
    refusal(() => open(path)),
    /^in-use: .* in use by process \d+/,
    'one process at a time',
  )
  first.release()
  const second = open(path)
  t.notOk(second.fresh, 'known')
  t.equal(second.incarnation, 2)
  t.deepEqual(second.keyPair.publicKey, first.keyPair.publicKey, 'the same identity')
  second.release()
  for (const secret of ['identity', 'cluster-key']) {
    t.equal(statSync(join(path, secret)).mode & 0o777, 0o600, `${secret} is secret`)
  }
  t.equal(readFileSync(join(path, 'cluster-key'), 'utf8').trim(), key.reveal(), 'the key is kept')
  t.end()
})

test('a directory of another role, cluster or release is refused', t => {
  const path = folder(t)
  open(path).release()
  t.match(
    refusal(() => open(path, 'manager')),
    /^data-directory: .* of a storage, not of a manager/,
  )
  const other = ClusterKey.generate(systemRandom)
  t.match(
    refusal(() => openDataDirectory({ path, role: 'storage', key: other })),
    /^wrong-cluster/,
  )
  const file = join(path, 'swarmdisk.json')
  const known = JSON.parse(readFileSync(file, 'utf8')) as object
  writeFileSync(file, JSON.stringify({ ...known, format: 99 }))
  t.match(
    refusal(() => open(path)),
    /^data-directory: .*newer swarmdisk/,
  )
  writeFileSync(file, '{')
  t.match(
    refusal(() => open(path)),
    /^data-directory: .*damaged/,
  )
  writeFileSync(file, JSON.stringify(known))
  open(path).release()
  t.pass('and opens again as it was')
  t.end()
})

test('an emptied disk under an old identity is refused', t => {
  const path = folder(t)
  open(path).release()
  rmSync(join(path, 'storage'), { recursive: true })
  t.match(
    refusal(() => open(path)),
    /^data-directory: .*was emptied/,
  )
  mkdirSync(join(path, 'storage'))
  t.match(
    refusal(() => open(path)),
    /^data-directory: .*was emptied/,
    'also if somebody made the folder',
  )
  t.end()
})

test('damaged or missing files of a known directory are refused', t => {
  for (const [name, content] of [
    ['identity', 'zz'],
    ['identity', null],
    ['starts', 'many'],
  ] as const) {
    const path = folder(t)
    open(path).release()
    if (content === null) unlinkSync(join(path, name))
    else writeFileSync(join(path, name), content)
    t.match(
      refusal(() => open(path)),
      new RegExp(`^data-directory: .*${name} is .*damaged`),
      `${name}: ${content}`,
    )
  }
  t.end()
})

test('a folder with other things in it is left alone', t => {
  const path = folder(t)
  writeFileSync(join(path, 'thesis.tex'), 'precious')
  const mode = statSync(path).mode
  t.match(
    refusal(() => open(path)),
    /^data-directory: .*thesis\.tex/,
  )
  t.equal(statSync(path).mode, mode, 'its rights are not changed')
  t.match(
    refusal(() => open(join(path, 'thesis.tex'))),
    /^data-directory: .*not a directory/,
  )
  t.equal(readFileSync(join(path, 'thesis.tex'), 'utf8'), 'precious')
  t.end()
})

test('a lock of a dead process holds nothing', t => {
  const path = folder(t)
  open(path).release()
  writeFileSync(join(path, 'lock'), JSON.stringify({ pid: 1, started: '1' }))
  const opened = open(path)
  t.equal(opened.incarnation, 2, 'taken over')
  opened.release()
  writeFileSync(join(path, 'lock'), '')
  open(path).release()
  t.pass('also one torn by a crash')
  t.end()
})

test('whether the process that had it is gone is said only where that is certain', t => {
  const path = folder(t)
  const last = () => lastProcess({ path, role: 'storage', key })
  t.match(refusal(last), /^not-found: .* is not the data directory/, 'nobody ever had it')
  open(path).release()
  t.deepEqual(last(), { kind: 'released' }, 'it ended in order')
  const opened = open(path)
  t.deepEqual(last(), { kind: 'lives', pid: process.pid })
  const lock = join(path, 'lock')
  const mark = JSON.parse(readFileSync(lock, 'utf8')) as ProcessMark
  const left = (by: ProcessMark | string): void =>
    writeFileSync(lock, typeof by === 'string' ? by : JSON.stringify(by))

  // Its pid is that of a process that started at another time.
  const dead = { ...mark, started: '1' }
  left(dead)
  const { keyPair, incarnation } = opened
  t.deepEqual(last(), { kind: 'gone', keyPair, incarnation }, 'and which start it was')
  left({ ...dead, pid: 2 ** 30 })
  t.equal(last().kind, 'gone', 'also if nobody has that pid now')
  left({ ...dead, where: 'another boot, host or container' })
  t.deepEqual(last(), { kind: 'unknown' }, 'a pid means nothing there')
  const { where, ...old } = dead
  t.ok(where, 'a mark says where it was made')
  left(old)
  t.deepEqual(last(), { kind: 'unknown' }, 'a mark of an older release')
  left('')
  t.deepEqual(last(), { kind: 'unknown' }, 'torn')
  left(dead)
  t.match(
    refusal(() => lastProcess({ path, role: 'manager', key })),
    /^data-directory/,
  )
  const next = open(path)
  t.equal(next.incarnation, 3)
  t.deepEqual(last(), { kind: 'lives', pid: process.pid }, 'it was started again')
  next.release()
  t.end()
})

test('a first start that is discarded leaves what it found, and nothing else', t => {
  const path = folder(t)
  open(join(path, 'new', 'deep')).discard()
  t.deepEqual(readdirSync(join(path, 'new', 'deep')), [])
  const lost = join(path, 'lost')
  mkdirSync(join(lost, 'storage'), { recursive: true })
  writeFileSync(join(lost, 'storage', 'blocks'), 'precious')
  open(lost).discard()
  t.deepEqual(readdirSync(lost), ['storage'], 'blocks whose description was lost stay')
  t.ok(existsSync(join(lost, 'storage', 'blocks')))
  const used = join(path, 'used')
  const first = open(used)
  first.release()
  open(used).discard()
  t.deepEqual(open(used).keyPair.publicKey, first.keyPair.publicKey, 'a used directory stays whole')
  t.end()
})

test('no folder where the kernel allows none', t => {
  t.match(
    refusal(() => open('/proc/x/y')),
    /data-directory: .*cannot be made/,
  )
  t.end()
})
