"""What `import caffe` finds where only this folder's parent on sys.path can speak for us: in worker processes."""

from solver_cli.pycaffe.standin import install

install()
