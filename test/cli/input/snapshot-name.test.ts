// VOLUME@NAME on the command line, and what is said about anything else.
import test from 'tape'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import {
  isSnapshotName,
  parseSnapshotName,
  parseSnapshotNames,
  snapshotText,
} from '../../../src/cli/input/snapshot-name.js'

function sentence(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (isSwarmdiskError(error, 'bad-input')) return error.message
    throw error
  }
  return 'accepted'
}

test('a snapshot is VOLUME@NAME', t => {
  t.deepEqual(parseSnapshotName('data@monday'), { volume: 'data', name: 'monday' })
  t.deepEqual(parseSnapshotName('a.b@2026-01-01_x'), { volume: 'a.b', name: '2026-01-01_x' })
  t.equal(snapshotText(parseSnapshotName('data@monday')), 'data@monday')
  t.ok(isSnapshotName('data@'))
  t.notOk(isSnapshotName('data'))
  t.end()
})

test('anything else is refused with what to do', t => {
  for (const [text, expected] of [
    ['data', /VOLUME@NAME, and "data" has no "@": write it like data@monday/],
    ['', /"" has no "@"/],
    ['a@b@c', /"a@b@c" has more than one "@"/],
    ['@', /The volume name is empty/],
    ['@monday', /The volume name is empty/],
    ['data@', /The snapshot name is empty/],
    ['data@..', /".." cannot be a snapshot name/],
    ['data@a/b', /The snapshot name "a\/b" has other characters than/],
    ['da ta@x', /The volume name "da ta" has other characters than/],
    [`data@${'x'.repeat(65)}`, /The snapshot name has 65 characters: use at most 64/],
  ] as const) {
    t.match(
      sentence(() => parseSnapshotName(text)),
      expected,
    )
  }
  t.end()
})

test('several only with --atomic, and no volume twice', t => {
  const two = ['a@x', 'b@x']
  t.equal(parseSnapshotNames(['a@x'], { atomic: false }).length, 1)
  t.equal(parseSnapshotNames(['a@x'], { atomic: true }).length, 1)
  t.deepEqual(parseSnapshotNames(two, { atomic: true }), [
    { volume: 'a', name: 'x' },
    { volume: 'b', name: 'x' },
  ])
  t.match(
    sentence(() => parseSnapshotNames(two, { atomic: false })),
    /2 snapshots are named: say --atomic/,
  )
  t.match(
    sentence(() => parseSnapshotNames(['a@x', 'a@y'], { atomic: true })),
    /Volume "a" is named twice/,
  )
  t.end()
})
