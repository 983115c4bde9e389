"""From a trained network and images to fused images, tables and a page.

From the inside out, each by the one before:

* `Generator.fuse`: tensors in the network's own range, padded and cropped;
* `batch.fuse_batch`: tensors in [0, 1], on the device and in its precision;
* `fuser.Fuser`: images of any depth and colour, in tiles; a scene is `fuser([a, b])`;
* `set_fuser.SetFuser`: a dataset, read, written and measured;
* `begin_fusing`: all of it from options, for test.py; `loading` the same for a program.
"""
