"""The text of mmdet's configurations, into which the values of a network and a data set are put.

The values are those of mmdet's own 1x configurations of RetinaNet and Faster R-CNN with an FPN.
"""

HEAD = """\
# {settings.detector} with a network of the space {name} as its backbone. Written by graphnas; edit it freely,
# and train with "graphnas detect", or with mmdet's own tools/train.py.
custom_imports = dict(imports="graphnas.detection", allow_failed_imports=False)
default_scope = "mmdet"

# ---------------------------------------------------------------- model

"""

BACKBONE = """\
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean={mean},  # of the images that the network was trained on
        std={std},
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone={backbone},
"""

RETINANET = (
    """\
model = dict(
    type="RetinaNet",
"""
    + BACKBONE
    + """\
    neck=dict(
        type="GraphNASFPN",  # mmdet's FPN, which compares in_channels with the backbone's
        in_channels={in_channels},  # of the network's maps, at strides {map_strides}
        out_channels=256,
        start_level=0,
        add_extra_convs="on_input",
        num_outs={levels},
    ),
    bbox_head=dict(
        type="RetinaHead",
        num_classes={num_classes},
        in_channels=256,
        stacked_convs=4,
        feat_channels=256,
        anchor_generator=dict(
            type="AnchorGenerator",
            octave_base_scale=4,
            scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0],
            strides={strides},  # of the pyramid's levels
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type="FocalLoss", use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type="L1Loss", loss_weight=1.0),
    ),
    train_cfg=dict(
        assigner=dict(
            type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=-1
        ),
        sampler=dict(type="PseudoSampler"),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type="nms", iou_threshold=0.5),
        max_per_img=100,
    ),
)
"""
)

FASTER_RCNN = (
    """\
model = dict(
    type="FasterRCNN",
"""
    + BACKBONE
    + """\
    neck=dict(
        type="GraphNASFPN",  # mmdet's FPN, which compares in_channels with the backbone's
        in_channels={in_channels},  # of the network's maps, at strides {map_strides}
        out_channels=256,
        num_outs={levels},
    ),
    rpn_head=dict(
        type="RPNHead",
        in_channels=256,
        feat_channels=256,
        anchor_generator=dict(
            type="AnchorGenerator",
            scales=[8],
            ratios=[0.5, 1.0, 2.0],
            strides={strides},  # of the pyramid's levels
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type="L1Loss", loss_weight=1.0),
    ),
    roi_head=dict(
        type="StandardRoIHead",
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=0),
            out_channels=256,
            featmap_strides={map_strides},
            finest_scale={finest_scale},  # 56 where the finest stride is 4
        ),
        bbox_head=dict(
            type="Shared2FCBBoxHead",
            in_channels=256,
            fc_out_channels=1024,
            roi_feat_size=7,
            num_classes={num_classes},
            bbox_coder=dict(
                type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]
            ),
            reg_class_agnostic=False,
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type="MaxIoUAssigner",
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                min_pos_iou=0.3,
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(
                type="RandomSampler", num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False
            ),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(
            nms_pre=2000, max_per_img=1000, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0
        ),
        rcnn=dict(
            assigner=dict(
                type="MaxIoUAssigner",
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=False,
                ignore_iof_thr=-1,
            ),
            sampler=dict(
                type="RandomSampler", num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True
            ),
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(
            nms_pre=1000, max_per_img=1000, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0
        ),
        rcnn=dict(score_thr=0.05, nms=dict(type="nms", iou_threshold=0.5), max_per_img=100),
    ),
)
"""
)

TRAINING = """
# ---------------------------------------------------------------- data

data_root = {root!r}
metainfo = dict(classes={classes})
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="Resize", scale={scale}, keep_ratio=True),
    dict(type="RandomFlip", prob={settings.flip}),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale={scale}, keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(
        type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    ),
]
train_dataloader = dict(
    batch_size={settings.batch_size},
    num_workers={settings.workers},
    persistent_workers={settings.workers} > 0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    batch_sampler=dict(type="AspectRatioBatchSampler"),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        metainfo=metainfo,
        ann_file={train_annotations!r},
        data_prefix=dict(img={train_images!r}),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers={settings.workers},
    persistent_workers={settings.workers} > 0,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        metainfo=metainfo,
        ann_file={val_annotations!r},
        data_prefix=dict(img={val_images!r}),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type="CocoMetric", ann_file={val_file!r}, metric="bbox")
test_dataloader = val_dataloader
test_evaluator = val_evaluator

# ---------------------------------------------------------------- schedule

train_cfg = dict(
    type="EpochBasedTrainLoop", max_epochs={settings.epochs}, val_interval={settings.validate_every}
)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr={settings.rate}, momentum=0.9, weight_decay=0.0001),{clip}
)
param_scheduler = [{warmup}
    dict(
        type="MultiStepLR", begin=0, end={settings.epochs}, by_epoch=True, milestones={milestones}, gamma=0.1
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size={settings.batch_size})

# ---------------------------------------------------------------- runtime

randomness = dict(seed={settings.seed})
default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="DetVisualizationHook"),
)
# A training that goes on after an interruption has the random numbers it would have had.
custom_hooks = [dict(type="ExactResumption")]
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="DetLocalVisualizer", vis_backends=vis_backends, name="visualizer")
log_processor = dict(type="LogProcessor", window_size=50, by_epoch=True)
log_level = "INFO"
load_from = None
resume = False
"""
