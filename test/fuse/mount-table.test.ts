import test from 'tape'
import {
  isSwarmdiskMount,
  isWithin,
  parseMountTable,
  readMountTable,
} from '../../src/fuse/mount-table.js'

const TABLE = `27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
99 27 0:40 / /mnt/with\\040blank\\134s rw,nosuid - fuse.swarmdisk swarmdisk rw,user_id=0
100 27 7:0 / /mnt/fs rw shared:9 master:2 - ext4 /dev/loop0 rw
101 27 0:41 / /mnt/other rw - fuse.sshfs swarmdisk rw
`

test('the mount table', t => {
  const [root, ours, loop, other, ...rest] = parseMountTable(TABLE)
  t.deepEqual(root, { device: '254:0', mountPoint: '/', type: 'ext4', source: '/dev/vda' })
  t.deepEqual(ours, {
    device: '0:40',
    mountPoint: '/mnt/with blank\\s',
    type: 'fuse.swarmdisk',
    source: 'swarmdisk',
  })
  t.equal(loop?.source, '/dev/loop0', 'optional fields are skipped')
  t.deepEqual(
    [root, ours, loop, other].map(entry => entry && isSwarmdiskMount(entry)),
    [false, true, false, false],
  )
  t.deepEqual(rest, [])
  t.deepEqual(parseMountTable('nonsense\n\n- - -\n'), [], 'other shapes are left out')
  t.end()
})

test('the mount table of this host', async t => {
  const table = await readMountTable()
  t.ok(table.some(entry => entry.mountPoint === '/'))
})

test('what lies within what', t => {
  t.ok(isWithin('/mnt/a/b.img', '/mnt/a'))
  t.ok(isWithin('/mnt/a', '/mnt/a'))
  t.ok(isWithin('/mnt', '/'))
  t.notOk(isWithin('/mnt/ab', '/mnt/a'))
  t.notOk(isWithin('/mnt', '/mnt/a'))
  t.end()
})
