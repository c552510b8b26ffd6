"""Find people again over several cameras: from the tracks of each camera to one id a person.

TRACKS are files of MOTChallenge, one a camera: lines of frame,id,left,top,width,height, the rest is
kept. --frames names for each the video, or the folder of its frames. Nobody is in two tracks of a
camera at a time; with --travel-times, nobody is faster between two cameras than that.

DIR gets the files of tracks with one id for a person (CAMERA.txt), people.csv (who was where and
when), and a picture of each person with the times at each camera.

Example:
    python tools/rendered_scene.py scene
    python tools/link_tracks.py scene/c1/tracks.txt scene/c2/tracks.txt scene/c3/tracks.txt \
        --frames scene/c1/img1 scene/c2/img1 scene/c3/img1 --fps 5 --out people \
        --model configs/supervised/vit-t8_synthetic.py \
        --weights work_dirs/vit-t8_synthetic/epoch_30.pth
"""

import csv
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

import numpy as np

from passreid import ReIDInferencer
from passreid.apis.track_features import BOXES, LinkedCameras, link_cameras
from passreid.tracks.scores import score_tracks
from passreid.tracks.track_files import read_tracks, write_tracks
from passreid.visualization import write_png


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('tracks', nargs='+', metavar='TRACKS', help='one file a camera')
    option('--frames', nargs='+', required=True, help='video or folder of frames of each')
    option('--model', required=True, metavar='CONFIG', help='config file of the model')
    option('--weights', required=True, metavar='CHECKPOINT', help='as for tools/test.py')
    option('--out', type=Path, default=Path('people'), metavar='DIR', help='default: people')
    option('--names', nargs='+', help='names of the cameras (default: c1 c2 ...)')
    option('--fps', type=float, required=True, help='frames a second')
    text = 'seconds at which the first frame of each camera was taken (default: 0)'
    option('--starts', nargs='+', type=float, help=text)
    text = 'CSV of the least seconds from each camera (rows) to each, 0 where views overlap'
    option('--travel-times', metavar='FILE', help=text)
    text = (
        'largest mean distance of the tracks of a person, from 0 to 2: of cosines, what the tracks '
    )
    text += 'of a camera have in common taken off (default: found in the data)'
    option('--threshold', type=float, help=text)
    text = 'join tracks by what they look like alone'
    option('--no-constraints', dest='constraints', action='store_false', help=text)
    option('--boxes', type=int, default=BOXES, help=f'looked at in a track (default: {BOXES})')
    option('--margin', type=float, default=0.0, help='share of a box to add around it')
    option('--truth', nargs='+', help='true tracks of each camera, to print IDF1 and HOTA')
    args = parser.parse_args()
    for name in ('frames', 'names', 'starts', 'truth'):
        given = getattr(args, name)
        if given is not None and len(given) != len(args.tracks):
            parser.error(
                f'--{name} has {len(given)} values, for {len(args.tracks)} files of tracks'
            )
    names = args.names or []
    if any(name != Path(name).name or not name for name in names) or len({*names}) < len(names):
        parser.error(f'--names {" ".join(names)}: each camera needs a name for a file of its own')
    return args


def read_travel_times(path: str, cameras: int) -> np.ndarray:
    """Read a table ``(C, C)`` of seconds."""
    try:
        table = np.loadtxt(path, delimiter=',', ndmin=2)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if table.shape != (cameras, cameras):
        raise ValueError(
            f'{path} has shape {table.shape}; {cameras} cameras need a row and a column each'
        )
    if not (table >= 0).all():
        raise ValueError(f'{path} holds {table.min():g}; nobody needs less than 0 seconds')
    return table


def write(linked: LinkedCameras, out: Path) -> None:
    """Write tracks, the table of people and a picture of each."""
    for camera, name in enumerate(linked.names):
        write_tracks(out / f'{name}.txt', linked.tracks[camera], linked.ids(camera))
    ids = np.concatenate([one.ids for one in linked.features])
    with open(out / 'people.csv', 'w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(('person', 'camera', 'track', 'start_s', 'end_s'))
        for track in np.lexsort((linked.spans[:, 0], linked.people)):
            span = [f'{second:.2f}' for second in linked.spans[track]]
            name = linked.names[linked.camera[track]]
            writer.writerow((linked.people[track], name, ids[track], *span))
    for picture in out.glob(
        'person_[0-9][0-9][0-9][0-9].png'
    ):  # Of an earlier run, with more people.
        picture.unlink()
    for person in range(1, linked.people.max() + 1):
        write_png(linked.timeline(person), out / f'person_{person:04d}.png')


def main() -> None:
    """Extract, link, and write what was found."""
    args = parse_args()
    tracks = [read_tracks(path) for path in args.tracks]
    truth = [read_tracks(path) for path in args.truth or ()]
    names = args.names or [f'c{number}' for number in range(1, len(tracks) + 1)]
    given = {Path(path).resolve() for path in (*args.tracks, *(args.truth or ()))}
    if lost := given & {(args.out / f'{name}.txt').resolve() for name in names}:
        raise FileExistsError(f'{min(lost)} would be overwritten: choose another --out')
    args.out.mkdir(parents=True, exist_ok=True)
    travel = args.travel_times and read_travel_times(args.travel_times, len(tracks))
    linked = link_cameras(
        ReIDInferencer(args.model, args.weights),
        tracks,
        args.frames,
        names,
        args.fps,
        args.starts,
        travel,
        args.threshold,
        args.constraints,
        args.boxes,
        args.margin,
    )
    how = 'best silhouette' if linked.threshold else 'none was found, which takes more tracks'
    how = how if args.threshold is None else 'given'
    print(
        f'{len(linked.people)} tracks of {len(tracks)} cameras are {linked.people.max()} people '
        f'(threshold {linked.threshold:.3f}, {how})'
    )
    write(linked, args.out)
    print(f'Tracks, people.csv and a picture of each person are in {args.out}')
    if truth:
        found = [one._replace(ids=linked.ids(place)) for place, one in enumerate(tracks)]
        print(
            '  '.join(f'{name} {value:.1f}' for name, value in score_tracks(truth, found).items())
        )


if __name__ == '__main__':
    main()
