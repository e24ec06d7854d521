// By which commands the file system on a loop device grows.
import test from 'tape'
import { growing } from '../../../src/cli/mounts/grown-devices.js'
import { parseMountTable } from '../../../src/fuse/mount-table.js'

const MOUNTS = parseMountTable(`
100 27 7:0 / /mnt/a rw - ext4 /dev/loop0 rw
101 27 7:1 / /mnt/with\\040blank rw - xfs /dev/loop1 rw
102 27 7:2 / /mnt/c rw - btrfs /dev/loop2 rw
103 27 7:3 / /mnt/d rw - vfat /dev/loop3 rw
104 27 7:10 / /mnt/e rw - ext2 /dev/loop10 rw
`)

test('each kind of file system has its own, and some have none', t => {
  t.deepEqual(growing(MOUNTS, '/dev/loop0'), ['resize2fs /dev/loop0'])
  t.deepEqual(growing(MOUNTS, '/dev/loop1'), [`xfs_growfs '/mnt/with blank'`])
  t.deepEqual(growing(MOUNTS, '/dev/loop2'), ['btrfs filesystem resize max /mnt/c'])
  t.deepEqual(growing(MOUNTS, '/dev/loop3'), [], 'it cannot')
  t.deepEqual(growing(MOUNTS, '/dev/loop10'), ['resize2fs /dev/loop10'])
  t.deepEqual(growing(MOUNTS, '/dev/loop4'), [], 'nothing is mounted')
  t.end()
})
